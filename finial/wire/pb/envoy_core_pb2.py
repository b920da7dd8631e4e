"""Generated from envoy_core.proto; do not edit."""

from finial.wire.pb import envoy_type_pb2 as _envoy_type
from finial.wire.pool import build as _build

_build(
    b'\n\x10envoy_core.proto\x12\x14envoy.config.core.v3\x1a\x10envoy_type.proto\x1a\x19'
    b'google/protobuf/any.proto\x1a\x1cgoogle/protobuf/struct.proto\x1a\x1egoo'
    b'gle/protobuf/wrappers.proto"H\n\x0cBuildVersion\x128\n\x07version\x18\x01 \x01(\x0b'
    b'2\x1e.envoy.type.v3.SemanticVersionR\x07version"\xc2\x01\n\x04Node\x12\x0e\n\x02id\x18\x01 \x01'
    b'(\tR\x02id\x12\x18\n\x07cluster\x18\x02 \x01(\tR\x07cluster\x123\n\x08metadata\x18\x03 \x01(\x0b2\x17.google.'
    b'protobuf.StructR\x08metadata\x12[\n\x18user_agent_build_version\x18\x08 \x01(\x0b2'
    b'".envoy.config.core.v3.BuildVersionR\x15userAgentBuildVersion".'
    b'\n\x0cControlPlane\x12\x1e\n\nidentifier\x18\x01 \x01(\tR\nidentifier"\xb8\x01\n\nDataSourc'
    b'e\x12\x1c\n\x08filename\x18\x01 \x01(\tH\x00R\x08filename\x12#\n\x0cinline_bytes\x18\x02 \x01(\x0cH\x00R\x0binl'
    b'ineBytes\x12%\n\rinline_string\x18\x03 \x01(\tH\x00R\x0cinlineString\x123\n\x14environme'
    b'nt_variable\x18\x04 \x01(\tH\x00R\x13environmentVariableB\x0b\n\tspecifier"c\n\x14Typ'
    b'edExtensionConfig\x12\x12\n\x04name\x18\x01 \x01(\tR\x04name\x127\n\x0ctyped_config\x18\x02 \x01(\x0b2'
    b'\x14.google.protobuf.AnyR\x0btypedConfig"\x99\x01\n\rSocketAddress\x12\x1a\n\x08prot'
    b'ocol\x18\x01 \x01(\x05R\x08protocol\x12\x18\n\x07address\x18\x02 \x01(\tR\x07address\x12\x1f\n\nport_value'
    b'\x18\x03 \x01(\rH\x00R\tportValue\x12\x1f\n\nnamed_port\x18\x04 \x01(\tH\x00R\tnamedPortB\x10\n\x0eport'
    b'_specifier".\n\x04Pipe\x12\x12\n\x04path\x18\x01 \x01(\tR\x04path\x12\x12\n\x04mode\x18\x02 \x01(\rR\x04mode"\x94'
    b'\x01\n\x07Address\x12L\n\x0esocket_address\x18\x01 \x01(\x0b2#.envoy.config.core.v3.So'
    b'cketAddressH\x00R\rsocketAddress\x120\n\x04pipe\x18\x02 \x01(\x0b2\x1a.envoy.config.co'
    b're.v3.PipeH\x00R\x04pipeB\t\n\x07address"R\n\x0bHeaderValue\x12\x10\n\x03key\x18\x01 \x01(\tR\x03k'
    b'ey\x12\x14\n\x05value\x18\x02 \x01(\tR\x05value\x12\x1b\n\traw_value\x18\x03 \x01(\x0cR\x08rawValue"\x8c\x03\n\x11He'
    b'aderValueOption\x129\n\x06header\x18\x01 \x01(\x0b2!.envoy.config.core.v3.Heade'
    b'rValueR\x06header\x122\n\x06append\x18\x02 \x01(\x0b2\x1a.google.protobuf.BoolValueR\x06'
    b'append\x12_\n\rappend_action\x18\x03 \x01(\x0e2:.envoy.config.core.v3.HeaderV'
    b'alueOption.HeaderAppendActionR\x0cappendAction\x12(\n\x10keep_empty_va'
    b'lue\x18\x04 \x01(\x08R\x0ekeepEmptyValue"}\n\x12HeaderAppendAction\x12\x1b\n\x17APPEND_IF'
    b'_EXISTS_OR_ADD\x10\x00\x12\x11\n\rADD_IF_ABSENT\x10\x01\x12\x1e\n\x1aOVERWRITE_IF_EXISTS_O'
    b'R_ADD\x10\x02\x12\x17\n\x13OVERWRITE_IF_EXISTS\x10\x03"H\n\tHeaderMap\x12;\n\x07headers\x18\x01 \x03'
    b'(\x0b2!.envoy.config.core.v3.HeaderValueR\x07headers"\xc3\x01\n\x08Metadata\x12'
    b'[\n\x0ffilter_metadata\x18\x01 \x03(\x0b22.envoy.config.core.v3.Metadata.Fil'
    b'terMetadataEntryR\x0efilterMetadata\x1aZ\n\x13FilterMetadataEntry\x12\x10\n\x03k'
    b'ey\x18\x01 \x01(\tR\x03key\x12-\n\x05value\x18\x02 \x01(\x0b2\x17.google.protobuf.StructR\x05value'
    b':\x028\x01b\x06proto3',
    globals(),
)
