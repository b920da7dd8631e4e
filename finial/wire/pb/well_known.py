"""Generated: the well-known messages of our pool."""

from finial.wire.pool import message_named as _named

Any = _named("google.protobuf.Any")
Empty = _named("google.protobuf.Empty")
ListValue = _named("google.protobuf.ListValue")
Struct = _named("google.protobuf.Struct")
Value = _named("google.protobuf.Value")
Timestamp = _named("google.protobuf.Timestamp")
BoolValue = _named("google.protobuf.BoolValue")
StringValue = _named("google.protobuf.StringValue")
