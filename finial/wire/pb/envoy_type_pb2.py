"""Generated from envoy_type.proto; do not edit."""

from finial.wire.pool import build as _build

_build(
    b'\n\x10envoy_type.proto\x12\renvoy.type.v3"m\n\x0fSemanticVersion\x12!\n\x0cmajo'
    b'r_number\x18\x01 \x01(\rR\x0bmajorNumber\x12!\n\x0cminor_number\x18\x02 \x01(\rR\x0bminorNumb'
    b'er\x12\x14\n\x05patch\x18\x03 \x01(\rR\x05patch" \n\nHttpStatus\x12\x12\n\x04code\x18\x01 \x01(\x05R\x04codeb\x06'
    b'proto3',
    globals(),
)
