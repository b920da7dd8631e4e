from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ExplainRequest(_message.Message):
    __slots__ = ("pid", "refusal")
    PID_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    pid: int
    refusal: str
    def __init__(self, pid: _Optional[int] = ..., refusal: _Optional[str] = ...) -> None: ...

class SimulateRequest(_message.Message):
    __slots__ = ("pid",)
    PID_FIELD_NUMBER: _ClassVar[int]
    pid: int
    def __init__(self, pid: _Optional[int] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: bytes
    def __init__(self, document: _Optional[bytes] = ...) -> None: ...

class ListRefusalsRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class Refusals(_message.Message):
    __slots__ = ("documents",)
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, documents: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Diagnoses(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: bytes
    def __init__(self, document: _Optional[bytes] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("agent_id", "trust_domain", "svid_expires_at", "svid_serial", "server_address", "connected", "last_sync", "entries", "x509_svids", "jwt_svids", "streams", "version", "synced", "blocks_version", "blocks", "blocked_entries", "locked_out")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    TRUST_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    SVID_EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    SVID_SERIAL_FIELD_NUMBER: _ClassVar[int]
    SERVER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    LAST_SYNC_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    X509_SVIDS_FIELD_NUMBER: _ClassVar[int]
    JWT_SVIDS_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SYNCED_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_VERSION_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    LOCKED_OUT_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    trust_domain: str
    svid_expires_at: int
    svid_serial: str
    server_address: str
    connected: bool
    last_sync: int
    entries: int
    x509_svids: int
    jwt_svids: int
    streams: int
    version: str
    synced: bool
    blocks_version: int
    blocks: int
    blocked_entries: int
    locked_out: str
    def __init__(self, agent_id: _Optional[str] = ..., trust_domain: _Optional[str] = ..., svid_expires_at: _Optional[int] = ..., svid_serial: _Optional[str] = ..., server_address: _Optional[str] = ..., connected: _Optional[bool] = ..., last_sync: _Optional[int] = ..., entries: _Optional[int] = ..., x509_svids: _Optional[int] = ..., jwt_svids: _Optional[int] = ..., streams: _Optional[int] = ..., version: _Optional[str] = ..., synced: _Optional[bool] = ..., blocks_version: _Optional[int] = ..., blocks: _Optional[int] = ..., blocked_entries: _Optional[int] = ..., locked_out: _Optional[str] = ...) -> None: ...
