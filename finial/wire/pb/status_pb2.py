"""Generated from status.proto; do not edit."""

from finial.wire.pool import build as _build

_build(
    b'\n\x0cstatus.proto\x12\ngoogle.rpc\x1a\x19google/protobuf/any.proto"f\n\x06Sta'
    b'tus\x12\x12\n\x04code\x18\x01 \x01(\x05R\x04code\x12\x18\n\x07message\x18\x02 \x01(\tR\x07message\x12.\n\x07details'
    b'\x18\x03 \x03(\x0b2\x14.google.protobuf.AnyR\x07detailsb\x06proto3',
    globals(),
)
