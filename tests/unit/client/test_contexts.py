"""TLS contexts that follow a source of the package `spiffe`."""

import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from finial.client import client_context, peer, server_context
from finial.runtime.clock import SystemClock
from finial.spiffe.refusal import Refusal
from tests.doubles.ca import Signed, SmallCa

CA = SmallCa(now=SystemClock().now())
WEB, DB = "spiffe://example.org/web", "spiffe://example.org/db"


@dataclass
class GivenSource:
    """Stands for an X509Source."""

    signed: Signed
    authorities: dict[str, tuple[SmallCa, ...]] = field(
        default_factory=lambda: {"example.org": (CA,)}
    )
    closed: bool = False
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def get_x509_context(self) -> Any:
        if self.closed:
            raise RuntimeError("source is closed")
        bundles = [
            SimpleNamespace(
                trust_domain=SimpleNamespace(name=name),
                x509_authorities={each.certificate for each in authorities},
            )
            for name, authorities in self.authorities.items()
        ]
        svid = SimpleNamespace(
            cert_chain=[self.signed.certificate, *self.signed.above], private_key=self.signed.key
        )
        return SimpleNamespace(default_svid=svid, x509_bundle_set=SimpleNamespace(bundles=bundles))

    def subscribe_for_updates(self, callback: Callable[[], None], /) -> None:
        self.listeners.append(callback)

    def is_closed(self) -> bool:
        return self.closed

    def rotate(self, signed: Signed) -> None:
        self.signed = signed
        for each in self.listeners:
            each()


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Shake hands in memory. Raises: ssl.SSLError of whichever side fails first."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(up, down, server_side=True)
    theirs = client.wrap_bio(down, up, server_side=False, server_hostname="any.name")
    waiting = [theirs, ours]
    for _ in range(10):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
        if not waiting:
            return ours, theirs
    raise AssertionError("the handshake does not end")


def shown(session: ssl.SSLObject) -> int:
    der = session.getpeercert(True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def anybody(_: object) -> bool:
    return True


def test_each_side_knows_the_other() -> None:
    """The server learns who calls, the client calls by SPIFFE ID, names play no part."""
    web, db = GivenSource(CA.workload("/web")), GivenSource(CA.workload("/db"))
    ours, theirs = handshake(server_context(db, anybody), client_context(web, DB))
    assert str(peer(ours)) == WEB
    assert shown(theirs) == db.signed.certificate.serial_number
    assert theirs.version() == "TLSv1.3"
    assert not theirs.session_reused


def test_both_follow_a_rotation() -> None:
    """The next handshake shows the new SVIDs, of the same contexts."""
    web, db = GivenSource(CA.workload("/web")), GivenSource(CA.workload("/db"))
    server, client = server_context(db, anybody), client_context(web, DB)
    handshake(server, client)
    web.rotate(CA.workload("/web"))
    db.rotate(CA.workload("/db"))
    ours, theirs = handshake(server, client)
    assert shown(ours) == web.signed.certificate.serial_number
    assert shown(theirs) == db.signed.certificate.serial_number


def test_an_authority_that_was_removed_is_trusted_no_more() -> None:
    """What is not in the bundle of this moment opens nothing."""
    successor = SmallCa(now=CA.now)
    web, db = GivenSource(CA.workload("/web")), GivenSource(CA.workload("/db"))
    server, client = server_context(db, anybody), client_context(web, DB)
    handshake(server, client)
    db.authorities = {"example.org": (successor,)}
    db.rotate(db.signed)
    with pytest.raises(ssl.SSLError):
        handshake(server, client)


def test_a_caller_who_is_not_meant_is_refused() -> None:
    """The server says whom it lets in."""
    web, db = GivenSource(CA.workload("/web")), GivenSource(CA.workload("/db"))
    server = server_context(db, lambda caller: caller.path == "/orders")
    with pytest.raises(ssl.SSLError, match="web is not let in"):
        handshake(server, client_context(web, DB))


def test_a_server_who_is_not_meant_is_refused() -> None:
    """The client compares the SPIFFE ID (X509-SVID section 5)."""
    web, db = GivenSource(CA.workload("/web")), GivenSource(CA.workload("/db"))
    with pytest.raises(ssl.SSLError, match=r"the server is not spiffe://example.org/orders"):
        handshake(server_context(db, anybody), client_context(web, "spiffe://example.org/orders"))


def test_a_caller_without_a_certificate_is_refused() -> None:
    """Nobody is let in unnamed."""
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.check_hostname = False
    plain.verify_mode = ssl.CERT_NONE
    with pytest.raises(ssl.SSLError, match="no certificate"):
        handshake(server_context(GivenSource(CA.workload("/db")), anybody), plain)


def test_a_trust_domain_speaks_for_itself_alone() -> None:
    """An authority of another trust domain cannot vouch for ours (X509-31, TDB-04)."""
    other = SmallCa("other.org", now=CA.now)
    both = {"example.org": (CA,), "other.org": (other,)}
    liar = GivenSource(other.leaf([WEB]))
    db = GivenSource(CA.workload("/db"), both)
    with pytest.raises(ssl.SSLError, match="vouches"):
        handshake(server_context(db, anybody), client_context(liar, DB))
    friend = GivenSource(other.workload("/friend"))
    ours, _ = handshake(server_context(db, anybody), client_context(friend, DB))
    assert str(peer(ours)) == "spiffe://other.org/friend"
    false_db = GivenSource(other.leaf([DB]), both)
    with pytest.raises(ssl.SSLError):
        handshake(server_context(false_db, anybody), client_context(db, DB))


def test_an_identity_that_was_lost_is_not_shown() -> None:
    """The package closes its source for good; no handshake succeeds from then on."""
    web, db = GivenSource(CA.workload("/web")), GivenSource(CA.workload("/db"))
    server, client = server_context(db, anybody), client_context(web, DB)
    handshake(server, client)
    db.closed = True
    with pytest.raises(ssl.SSLError):
        handshake(server, client)
    web.closed = True
    with pytest.raises(RuntimeError, match="closed"):
        handshake(server, client)


def test_what_is_called_has_a_spiffe_id() -> None:
    """A URL is none; and without the bundle of its trust domain nobody can be called."""
    web = GivenSource(CA.workload("/web"))
    with pytest.raises(Refusal):
        client_context(web, "https://db.internal")
    stranger = client_context(web, "spiffe://stranger.org/db")
    with pytest.raises(ssl.SSLError, match=r"no bundle of stranger\.org"):
        stranger.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())


def test_the_protocols_of_both_meet() -> None:
    """What an HTTP client says of its protocols reaches the handshake."""
    web, db = GivenSource(CA.workload("/web")), GivenSource(CA.workload("/db"))
    server = server_context(db, anybody, alpn=("h2", "http/1.1"))
    client = client_context(web, DB)
    _, theirs = handshake(server, client)
    assert theirs.selected_alpn_protocol() == "http/1.1"
    client.set_alpn_protocols(["h2"])
    _, theirs = handshake(server, client)
    assert theirs.selected_alpn_protocol() == "h2"


def over_sockets(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[Any, Any]:
    """What a server and a caller read of each other who leave the handshake to OpenSSL.

    Each is what was read, or the exception.
    """
    near, far = socket.socketpair()

    def attempt(context: ssl.SSLContext, sock: socket.socket, *, server_side: bool) -> Any:
        wrapped = context.wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=False,
            server_hostname=None if server_side else "any.name",
        )
        with wrapped:
            try:
                if not server_side:
                    wrapped.sendall(b"hello")
                    return wrapped.recv(5)
                said = wrapped.recv(5)
                wrapped.sendall(said)
            except ssl.SSLError as fault:
                return fault
            return said

    with ThreadPoolExecutor(1) as other:
        theirs = other.submit(attempt, client, far, server_side=False)
        return attempt(server, near, server_side=True), theirs.result()


def test_who_leaves_the_handshake_to_openssl_meets_no_unknown_peer() -> None:
    """Reading and writing begin a handshake by themselves, and that one is judged like any other."""
    web, db = GivenSource(CA.workload("/web")), GivenSource(CA.workload("/db"))
    assert over_sockets(server_context(db, anybody), client_context(web, DB)) == (b"hello",) * 2
    nobody = server_context(db, lambda _: False)
    assert isinstance(over_sockets(nobody, client_context(web, DB))[0], ssl.SSLError)
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.check_hostname = False
    plain.verify_mode = ssl.CERT_NONE
    assert isinstance(over_sockets(server_context(db, anybody), plain)[0], ssl.SSLError)
    other = client_context(web, "spiffe://example.org/orders")
    assert isinstance(over_sockets(server_context(db, anybody), other)[1], ssl.SSLError)


class Interrupted(GivenSource):
    """A source during whose first answer somebody else asks."""

    meanwhile: Callable[[], object] | None = None

    def get_x509_context(self) -> Any:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return super().get_x509_context()


def test_threads_that_begin_at_once_all_begin() -> None:
    """Nobody takes what another thread is still reading for read."""
    web = Interrupted(CA.workload("/web"))
    client = client_context(web, DB)
    begun: list[ssl.SSLObject] = []
    web.meanwhile = lambda: begun.append(client.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO()))
    client.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
    assert len(begun) == 1
