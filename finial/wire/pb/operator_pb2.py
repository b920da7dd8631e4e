"""Generated from operator.proto; do not edit."""

from finial.wire.pool import build as _build

_build(
    b'\n\x0eoperator.proto\x12\x12finial.operator.v1\x1a\x1bgoogle/protobuf/empty.'
    b'proto"\x93\x03\n\x06Status\x12\x19\n\x08agent_id\x18\x01 \x01(\tR\x07agentId\x12!\n\x0ctrust_domain\x18'
    b'\x02 \x01(\tR\x0btrustDomain\x12&\n\x0fsvid_expires_at\x18\x03 \x01(\x03R\rsvidExpiresAt\x12\x1f'
    b'\n\x0bsvid_serial\x18\x04 \x01(\tR\nsvidSerial\x12%\n\x0eserver_address\x18\x05 \x01(\tR\rser'
    b'verAddress\x12\x1c\n\tconnected\x18\x06 \x01(\x08R\tconnected\x12\x1b\n\tlast_sync\x18\x07 \x01(\x03R'
    b'\x08lastSync\x12\x18\n\x07entries\x18\x08 \x01(\x05R\x07entries\x12\x1d\n\nx509_svids\x18\t \x01(\x05R\tx50'
    b'9Svids\x12\x1b\n\tjwt_svids\x18\n \x01(\x05R\x08jwtSvids\x12\x18\n\x07streams\x18\x0b \x01(\x05R\x07stream'
    b's\x12\x18\n\x07version\x18\x0c \x01(\tR\x07version\x12\x16\n\x06synced\x18\r \x01(\x08R\x06synced2K\n\x08Opera'
    b'tor\x12?\n\tGetStatus\x12\x16.google.protobuf.Empty\x1a\x1a.finial.operator.v'
    b'1.Statusb\x06proto3',
    globals(),
)
