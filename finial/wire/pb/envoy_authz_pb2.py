"""Generated from envoy_authz.proto; do not edit."""

from finial.wire.pb import envoy_core_pb2 as _envoy_core
from finial.wire.pb import envoy_type_pb2 as _envoy_type
from finial.wire.pb import status_pb2 as _status
from finial.wire.pool import build as _build

_build(
    b'\n\x11envoy_authz.proto\x12\x15envoy.service.auth.v3\x1a\x10envoy_core.proto'
    b'\x1a\x10envoy_type.proto\x1a\x1cgoogle/protobuf/struct.proto\x1a\x1fgoogle/pro'
    b'tobuf/timestamp.proto\x1a\x0cstatus.proto"W\n\x0cCheckRequest\x12G\n\nattri'
    b"butes\x18\x01 \x01(\x0b2'.envoy.service.auth.v3.AttributeContextR\nattrib"
    b'utes"\xcd\x0c\n\x10AttributeContext\x12D\n\x06source\x18\x01 \x01(\x0b2,.envoy.service.au'
    b'th.v3.AttributeContext.PeerR\x06source\x12N\n\x0bdestination\x18\x02 \x01(\x0b2,.e'
    b'nvoy.service.auth.v3.AttributeContext.PeerR\x0bdestination\x12I\n\x07r'
    b'equest\x18\x04 \x01(\x0b2/.envoy.service.auth.v3.AttributeContext.Reques'
    b'tR\x07request\x12m\n\x12context_extensions\x18\n \x03(\x0b2>.envoy.service.auth.'
    b'v3.AttributeContext.ContextExtensionsEntryR\x11contextExtension'
    b's\x12I\n\x10metadata_context\x18\x0b \x01(\x0b2\x1e.envoy.config.core.v3.MetadataR'
    b'\x0fmetadataContext\x12S\n\x0btls_session\x18\x0c \x01(\x0b22.envoy.service.auth.v'
    b'3.AttributeContext.TLSSessionR\ntlsSession\x12T\n\x16route_metadata_'
    b'context\x18\r \x01(\x0b2\x1e.envoy.config.core.v3.MetadataR\x14routeMetadata'
    b'Context\x1a\xa6\x02\n\x04Peer\x127\n\x07address\x18\x01 \x01(\x0b2\x1d.envoy.config.core.v3.Add'
    b'ressR\x07address\x12\x18\n\x07service\x18\x02 \x01(\tR\x07service\x12P\n\x06labels\x18\x03 \x03(\x0b28.en'
    b'voy.service.auth.v3.AttributeContext.Peer.LabelsEntryR\x06label'
    b's\x12\x1c\n\tprincipal\x18\x04 \x01(\tR\tprincipal\x12 \n\x0bcertificate\x18\x05 \x01(\tR\x0bcertif'
    b'icate\x1a9\n\x0bLabelsEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n\x05value\x18\x02 \x01(\tR\x05value'
    b':\x028\x01\x1a\x82\x01\n\x07Request\x12.\n\x04time\x18\x01 \x01(\x0b2\x1a.google.protobuf.TimestampR\x04'
    b'time\x12G\n\x04http\x18\x02 \x01(\x0b23.envoy.service.auth.v3.AttributeContext.'
    b'HttpRequestR\x04http\x1a\xde\x03\n\x0bHttpRequest\x12\x0e\n\x02id\x18\x01 \x01(\tR\x02id\x12\x16\n\x06method\x18'
    b'\x02 \x01(\tR\x06method\x12Z\n\x07headers\x18\x03 \x03(\x0b2@.envoy.service.auth.v3.Attri'
    b'buteContext.HttpRequest.HeadersEntryR\x07headers\x12\x12\n\x04path\x18\x04 \x01(\tR'
    b'\x04path\x12\x12\n\x04host\x18\x05 \x01(\tR\x04host\x12\x16\n\x06scheme\x18\x06 \x01(\tR\x06scheme\x12\x14\n\x05query\x18\x07'
    b' \x01(\tR\x05query\x12\x1a\n\x08fragment\x18\x08 \x01(\tR\x08fragment\x12\x12\n\x04size\x18\t \x01(\x03R\x04size\x12'
    b'\x1a\n\x08protocol\x18\n \x01(\tR\x08protocol\x12\x12\n\x04body\x18\x0b \x01(\tR\x04body\x12\x19\n\x08raw_body\x18'
    b'\x0c \x01(\x0cR\x07rawBody\x12>\n\nheader_map\x18\r \x01(\x0b2\x1f.envoy.config.core.v3.He'
    b'aderMapR\theaderMap\x1a:\n\x0cHeadersEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n\x05valu'
    b'e\x18\x02 \x01(\tR\x05value:\x028\x01\x1a\x1e\n\nTLSSession\x12\x10\n\x03sni\x18\x01 \x01(\tR\x03sni\x1aD\n\x16Contex'
    b'tExtensionsEntry\x12\x10\n\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n\x05value\x18\x02 \x01(\tR\x05value:\x028\x01'
    b'"\x9e\x01\n\x12DeniedHttpResponse\x121\n\x06status\x18\x01 \x01(\x0b2\x19.envoy.type.v3.Http'
    b"StatusR\x06status\x12A\n\x07headers\x18\x02 \x03(\x0b2'.envoy.config.core.v3.Heade"
    b'rValueOptionR\x07headers\x12\x12\n\x04body\x18\x03 \x01(\tR\x04body"\xa3\x02\n\x0eOkHttpResponse'
    b"\x12A\n\x07headers\x18\x02 \x03(\x0b2'.envoy.config.core.v3.HeaderValueOptionR\x07"
    b'headers\x12B\n\x10dynamic_metadata\x18\x03 \x01(\x0b2\x17.google.protobuf.StructR\x0f'
    b'dynamicMetadata\x12*\n\x11headers_to_remove\x18\x05 \x03(\tR\x0fheadersToRemove\x12'
    b"^\n\x17response_headers_to_add\x18\x06 \x03(\x0b2'.envoy.config.core.v3.Head"
    b'erValueOptionR\x14responseHeadersToAdd"\xb0\x02\n\rCheckResponse\x12*\n\x06sta'
    b'tus\x18\x01 \x01(\x0b2\x12.google.rpc.StatusR\x06status\x12T\n\x0fdenied_response\x18\x02 \x01'
    b'(\x0b2).envoy.service.auth.v3.DeniedHttpResponseH\x00R\x0edeniedRespo'
    b'nse\x12H\n\x0bok_response\x18\x03 \x01(\x0b2%.envoy.service.auth.v3.OkHttpRespo'
    b'nseH\x00R\nokResponse\x12B\n\x10dynamic_metadata\x18\x04 \x01(\x0b2\x17.google.protobu'
    b'f.StructR\x0fdynamicMetadataB\x0f\n\rhttp_response2c\n\rAuthorization\x12'
    b'R\n\x05Check\x12#.envoy.service.auth.v3.CheckRequest\x1a$.envoy.servic'
    b'e.auth.v3.CheckResponseb\x06proto3',
    globals(),
)
