"""Generated from envoy_sds.proto; do not edit."""

from finial.wire.pb import envoy_discovery_pb2 as _envoy_discovery
from finial.wire.pool import build as _build

_build(
    b'\n\x0fenvoy_sds.proto\x12\x17envoy.service.secret.v3\x1a\x15envoy_discovery.'
    b'proto2\xf2\x02\n\x16SecretDiscoveryService\x12y\n\x0cDeltaSecrets\x121.envoy.ser'
    b'vice.discovery.v3.DeltaDiscoveryRequest\x1a2.envoy.service.disc'
    b'overy.v3.DeltaDiscoveryResponse(\x010\x01\x12p\n\rStreamSecrets\x12,.envoy'
    b'.service.discovery.v3.DiscoveryRequest\x1a-.envoy.service.disco'
    b'very.v3.DiscoveryResponse(\x010\x01\x12k\n\x0cFetchSecrets\x12,.envoy.servic'
    b'e.discovery.v3.DiscoveryRequest\x1a-.envoy.service.discovery.v3'
    b'.DiscoveryResponseb\x06proto3',
    globals(),
)
