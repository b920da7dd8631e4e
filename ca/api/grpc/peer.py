"""Who is at the other end of a connection: the kernel's word, or the certificate's."""

import asyncio
import os
from dataclasses import dataclass, field

from cryptography import x509

from ca.registry.permission import Ground
from finial.runtime.peer import PeerGone, credentials
from finial.spiffe.certificate import not_after
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.network import network_of
from finial.wire.tls import Session, peer_id


@dataclass(frozen=True, slots=True)
class LocalPeer:
    """A process of this machine that connected to the server's socket."""

    pid: int
    uid: int
    gid: int

    @property
    def address(self) -> str:
        """What limits and records name it by."""
        return f"uid:{self.uid}"


@dataclass(frozen=True, slots=True)
class RemotePeer:
    """Someone who connected over TCP; `serial` is decimal and `not_after` Unix seconds.

    `id` is None when they showed no certificate. `passes` remembers by which right each method was
    called, and at which state of memory that was found.
    """

    address: str
    id: SpiffeId | None = None
    serial: str = ""
    not_after: int = 0
    passes: dict[str, tuple[tuple[int, int], Ground]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def network(self) -> str:
        """Whom limits count the caller for."""
        return network_of(self.address)


Peer = LocalPeer | RemotePeer


def identify(transport: asyncio.BaseTransport) -> Peer:
    """Say who connected.

    Raises: Refusal of kind DENIED for a local user who is neither root nor the server's own,
    UNAUTHENTICATED for a certificate that is no X509-SVID.
    """
    tls = transport.get_extra_info("ssl_object")
    name = transport.get_extra_info("peername")
    if tls is not None and not name:
        raise Refusal(Kind.UNAUTHENTICATED, "the caller has gone before it could be named")
    if tls is not None:
        return _remote(str(name[0]), tls)
    return _local(transport)


def _local(transport: asyncio.BaseTransport) -> LocalPeer:
    try:
        pid, uid, gid = credentials(transport.get_extra_info("socket"))
    except (PeerGone, OSError) as error:
        raise Refusal(Kind.UNAUTHENTICATED, "the kernel does not say who connected") from error
    if uid not in (0, os.geteuid()):
        raise Refusal(Kind.DENIED, f"user {uid} may not administer this server")
    return LocalPeer(pid, uid, gid)


def _remote(address: str, tls: Session) -> RemotePeer:
    spiffe_id = peer_id(tls)
    der = tls.getpeercert(True)
    if spiffe_id is None or der is None:
        return RemotePeer(address)
    leaf = x509.load_der_x509_certificate(der)
    return RemotePeer(address, spiffe_id, str(leaf.serial_number), not_after(leaf))
