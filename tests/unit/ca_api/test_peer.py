"""Who is at the other end of a connection to the server."""

from typing import Any

import pytest

from ca.api.grpc.peer import RemotePeer, identify
from finial.spiffe.refusal import Kind, Refusal


class Transport:
    """A connection of which only some things are known."""

    def __init__(self, **known: Any) -> None:
        self._known = known

    def get_extra_info(self, name: str) -> Any:
        return self._known.get(name)


class Session:
    """A TLS session of a client that showed no certificate."""

    def getpeercert(self, _: bool) -> None:
        return None


def test_whoever_left_at_once_was_logged_as_a_bug() -> None:
    """A client that resets its connection after the handshake has no address any more."""
    for name in (None, (), ""):
        with pytest.raises(Refusal) as caught:
            identify(Transport(ssl_object=Session(), peername=name))  # type: ignore[arg-type]
        assert caught.value.kind is Kind.UNAUTHENTICATED


def test_a_caller_without_a_certificate_is_an_address() -> None:
    """Over TCP nobody is known but by a certificate, and an address is all there is."""
    transport = Transport(ssl_object=Session(), peername=("2001:db8::1", 5, 0, 0))
    found = identify(transport)  # type: ignore[arg-type]
    assert found == RemotePeer("2001:db8::1")
    assert isinstance(found, RemotePeer)
    assert found.network == "2001:db8::/64"


def test_a_connection_without_tls_is_asked_of_the_kernel() -> None:
    """Where there is no TLS and no Unix socket either, nobody is let in."""
    with pytest.raises(Refusal):
        identify(Transport(socket=Unanswering(), peername=("192.0.2.1", 5)))  # type: ignore[arg-type]


class Unanswering:
    """A socket that has no credentials."""

    def getsockopt(self, *_: int) -> bytes:
        raise OSError(95, "Operation not supported")
