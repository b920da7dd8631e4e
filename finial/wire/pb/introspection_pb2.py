"""Generated from introspection.proto; do not edit."""

from finial.wire.pool import build as _build

_build(
    b'\n\x13introspection.proto\x12\x12finial.workload.v1\x1a\x1bgoogle/protobuf/e'
    b'mpty.proto"-\n\x0fSelfExplanation\x12\x1a\n\x08document\x18\x01 \x01(\x0cR\x08document2Y\n'
    b'\rIntrospection\x12H\n\tExplainMe\x12\x16.google.protobuf.Empty\x1a#.finial'
    b'.workload.v1.SelfExplanationb\x06proto3',
    globals(),
)
