"""Generated from envoy_discovery.proto; do not edit."""

from finial.wire.pb import envoy_core_pb2 as _envoy_core
from finial.wire.pb import status_pb2 as _status
from finial.wire.pool import build as _build

_build(
    b'\n\x15envoy_discovery.proto\x12\x1aenvoy.service.discovery.v3\x1a\x10envoy_c'
    b'ore.proto\x1a\x19google/protobuf/any.proto\x1a\x0cstatus.proto"\x85\x02\n\x10Disco'
    b'veryRequest\x12!\n\x0cversion_info\x18\x01 \x01(\tR\x0bversionInfo\x12.\n\x04node\x18\x02 \x01(\x0b'
    b'2\x1a.envoy.config.core.v3.NodeR\x04node\x12%\n\x0eresource_names\x18\x03 \x03(\tR\r'
    b'resourceNames\x12\x19\n\x08type_url\x18\x04 \x01(\tR\x07typeUrl\x12%\n\x0eresponse_nonce\x18\x05'
    b' \x01(\tR\rresponseNonce\x125\n\x0cerror_detail\x18\x06 \x01(\x0b2\x12.google.rpc.Statu'
    b'sR\x0berrorDetail"\xe4\x01\n\x11DiscoveryResponse\x12!\n\x0cversion_info\x18\x01 \x01(\tR\x0b'
    b'versionInfo\x122\n\tresources\x18\x02 \x03(\x0b2\x14.google.protobuf.AnyR\tresour'
    b'ces\x12\x19\n\x08type_url\x18\x04 \x01(\tR\x07typeUrl\x12\x14\n\x05nonce\x18\x05 \x01(\tR\x05nonce\x12G\n\rcont'
    b'rol_plane\x18\x06 \x01(\x0b2".envoy.config.core.v3.ControlPlaneR\x0ccontrol'
    b'Plane"\x91\x04\n\x15DeltaDiscoveryRequest\x12.\n\x04node\x18\x01 \x01(\x0b2\x1a.envoy.config'
    b'.core.v3.NodeR\x04node\x12\x19\n\x08type_url\x18\x02 \x01(\tR\x07typeUrl\x128\n\x18resource_n'
    b'ames_subscribe\x18\x03 \x03(\tR\x16resourceNamesSubscribe\x12<\n\x1aresource_nam'
    b'es_unsubscribe\x18\x04 \x03(\tR\x18resourceNamesUnsubscribe\x12\x8a\x01\n\x19initial_r'
    b'esource_versions\x18\x05 \x03(\x0b2N.envoy.service.discovery.v3.DeltaDis'
    b'coveryRequest.InitialResourceVersionsEntryR\x17initialResourceV'
    b'ersions\x12%\n\x0eresponse_nonce\x18\x06 \x01(\tR\rresponseNonce\x125\n\x0cerror_deta'
    b'il\x18\x07 \x01(\x0b2\x12.google.rpc.StatusR\x0berrorDetail\x1aJ\n\x1cInitialResource'
    b'VersionsEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n\x05value\x18\x02 \x01(\tR\x05value:\x028\x01"\xb3\x02'
    b'\n\x16DeltaDiscoveryResponse\x12.\n\x13system_version_info\x18\x01 \x01(\tR\x11syste'
    b'mVersionInfo\x12B\n\tresources\x18\x02 \x03(\x0b2$.envoy.service.discovery.v3'
    b'.ResourceR\tresources\x12\x19\n\x08type_url\x18\x04 \x01(\tR\x07typeUrl\x12\x14\n\x05nonce\x18\x05 \x01'
    b'(\tR\x05nonce\x12+\n\x11removed_resources\x18\x06 \x03(\tR\x10removedResources\x12G\n\rco'
    b'ntrol_plane\x18\x07 \x01(\x0b2".envoy.config.core.v3.ControlPlaneR\x0ccontr'
    b'olPlane"j\n\x08Resource\x12\x18\n\x07version\x18\x01 \x01(\tR\x07version\x120\n\x08resource\x18\x02 '
    b'\x01(\x0b2\x14.google.protobuf.AnyR\x08resource\x12\x12\n\x04name\x18\x03 \x01(\tR\x04nameb\x06pro'
    b'to3',
    globals(),
)
