"""Generated from health.proto; do not edit."""

from finial.wire.pool import build as _build

_build(
    b'\n\x0chealth.proto\x12\x0egrpc.health.v1".\n\x12HealthCheckRequest\x12\x18\n\x07serv'
    b'ice\x18\x01 \x01(\tR\x07service"\xb1\x01\n\x13HealthCheckResponse\x12I\n\x06status\x18\x01 \x01(\x0e21'
    b'.grpc.health.v1.HealthCheckResponse.ServingStatusR\x06status"O\n'
    b'\rServingStatus\x12\x0b\n\x07UNKNOWN\x10\x00\x12\x0b\n\x07SERVING\x10\x01\x12\x0f\n\x0bNOT_SERVING\x10\x02\x12\x13\n'
    b'\x0fSERVICE_UNKNOWN\x10\x03"\x13\n\x11HealthListRequest"\xc4\x01\n\x12HealthListRespon'
    b'se\x12L\n\x08statuses\x18\x01 \x03(\x0b20.grpc.health.v1.HealthListResponse.Sta'
    b'tusesEntryR\x08statuses\x1a`\n\rStatusesEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x129\n\x05v'
    b'alue\x18\x02 \x01(\x0b2#.grpc.health.v1.HealthCheckResponseR\x05value:\x028\x012\xfd'
    b'\x01\n\x06Health\x12P\n\x05Check\x12".grpc.health.v1.HealthCheckRequest\x1a#.grp'
    b'c.health.v1.HealthCheckResponse\x12M\n\x04List\x12!.grpc.health.v1.Hea'
    b'lthListRequest\x1a".grpc.health.v1.HealthListResponse\x12R\n\x05Watch\x12'
    b'".grpc.health.v1.HealthCheckRequest\x1a#.grpc.health.v1.HealthC'
    b'heckResponse0\x01b\x06proto3',
    globals(),
)
