"""Generated from operator.proto; do not edit."""

from finial.wire.pool import build as _build

_build(
    b'\n\x0eoperator.proto\x12\x12finial.operator.v1\x1a\x1bgoogle/protobuf/empty.'
    b'proto"K\n\x0eExplainRequest\x12\x12\n\x03pid\x18\x01 \x01(\x05H\x00R\x03pid\x12\x1a\n\x07refusal\x18\x02 \x01(\t'
    b'H\x00R\x07refusalB\t\n\x07subject"#\n\x0fSimulateRequest\x12\x10\n\x03pid\x18\x01 \x01(\x05R\x03pid"'
    b')\n\x0bExplanation\x12\x1a\n\x08document\x18\x01 \x01(\x0cR\x08document"+\n\x13ListRefusalsRe'
    b'quest\x12\x14\n\x05limit\x18\x01 \x01(\x05R\x05limit"(\n\x08Refusals\x12\x1c\n\tdocuments\x18\x01 \x03(\x0cR\t'
    b'documents"\'\n\tDiagnoses\x12\x1a\n\x08document\x18\x01 \x01(\x0cR\x08document"\x9a\x04\n\x06Statu'
    b's\x12\x19\n\x08agent_id\x18\x01 \x01(\tR\x07agentId\x12!\n\x0ctrust_domain\x18\x02 \x01(\tR\x0btrustDom'
    b'ain\x12&\n\x0fsvid_expires_at\x18\x03 \x01(\x03R\rsvidExpiresAt\x12\x1f\n\x0bsvid_serial\x18\x04'
    b' \x01(\tR\nsvidSerial\x12%\n\x0eserver_address\x18\x05 \x01(\tR\rserverAddress\x12\x1c\n\tc'
    b'onnected\x18\x06 \x01(\x08R\tconnected\x12\x1b\n\tlast_sync\x18\x07 \x01(\x03R\x08lastSync\x12\x18\n\x07en'
    b'tries\x18\x08 \x01(\x05R\x07entries\x12\x1d\n\nx509_svids\x18\t \x01(\x05R\tx509Svids\x12\x1b\n\tjwt_s'
    b'vids\x18\n \x01(\x05R\x08jwtSvids\x12\x18\n\x07streams\x18\x0b \x01(\x05R\x07streams\x12\x18\n\x07version\x18\x0c '
    b'\x01(\tR\x07version\x12\x16\n\x06synced\x18\r \x01(\x08R\x06synced\x12%\n\x0eblocks_version\x18\x0e \x01(\x04'
    b"R\rblocksVersion\x12\x16\n\x06blocks\x18\x0f \x01(\x05R\x06blocks\x12'\n\x0fblocked_entries\x18\x10"
    b' \x01(\x05R\x0eblockedEntries\x12\x1d\n\nlocked_out\x18\x11 \x01(\tR\tlockedOut2\x87\x03\n\x08Oper'
    b'ator\x12?\n\tGetStatus\x12\x16.google.protobuf.Empty\x1a\x1a.finial.operator.'
    b'v1.Status\x12N\n\x07Explain\x12".finial.operator.v1.ExplainRequest\x1a\x1f.f'
    b'inial.operator.v1.Explanation\x12P\n\x08Simulate\x12#.finial.operator.'
    b'v1.SimulateRequest\x1a\x1f.finial.operator.v1.Explanation\x12U\n\x0cListR'
    b"efusals\x12'.finial.operator.v1.ListRefusalsRequest\x1a\x1c.finial.op"
    b'erator.v1.Refusals\x12A\n\x08Diagnose\x12\x16.google.protobuf.Empty\x1a\x1d.fin'
    b'ial.operator.v1.Diagnosesb\x06proto3',
    globals(),
)
