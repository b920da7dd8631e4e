"""Generated from envoy_tls.proto; do not edit."""

from finial.wire.pb import envoy_core_pb2 as _envoy_core
from finial.wire.pool import build as _build

_build(
    b'\n\x0fenvoy_tls.proto\x12)envoy.extensions.transport_sockets.tls.v3'
    b'\x1a\x10envoy_core.proto"\x84\x02\n\x06Secret\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12d\n\x0ftls_cer'
    b'tificate\x18\x02 \x01(\x0b29.envoy.extensions.transport_sockets.tls.v3.T'
    b'lsCertificateH\x00R\x0etlsCertificate\x12x\n\x12validation_context\x18\x04 \x01(\x0b2'
    b'G.envoy.extensions.transport_sockets.tls.v3.CertificateValid'
    b'ationContextH\x00R\x11validationContextB\x06\n\x04type"\xa2\x01\n\x0eTlsCertificate'
    b'\x12M\n\x11certificate_chain\x18\x01 \x01(\x0b2 .envoy.config.core.v3.DataSourc'
    b'eR\x10certificateChain\x12A\n\x0bprivate_key\x18\x02 \x01(\x0b2 .envoy.config.core'
    b'.v3.DataSourceR\nprivateKey"\xf7\x01\n\x1cCertificateValidationContext\x12'
    b'?\n\ntrusted_ca\x18\x01 \x01(\x0b2 .envoy.config.core.v3.DataSourceR\ttrust'
    b'edCa\x122\n\x03crl\x18\x07 \x01(\x0b2 .envoy.config.core.v3.DataSourceR\x03crl\x12b\n\x17'
    b'custom_validator_config\x18\x0c \x01(\x0b2*.envoy.config.core.v3.TypedEx'
    b'tensionConfigR\x15customValidatorConfig"\xfa\x01\n\x19SPIFFECertValidator'
    b'Config\x12u\n\rtrust_domains\x18\x01 \x03(\x0b2P.envoy.extensions.transport_s'
    b'ockets.tls.v3.SPIFFECertValidatorConfig.TrustDomainR\x0ctrustDo'
    b'mains\x1af\n\x0bTrustDomain\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x12C\n\x0ctrust_bundle\x18\x02 \x01'
    b'(\x0b2 .envoy.config.core.v3.DataSourceR\x0btrustBundleb\x06proto3',
    globals(),
)
