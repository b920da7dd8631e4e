"""TLS contexts of the standard library that follow an `X509Source` of the package `spiffe`.

asyncio, and with it uvicorn and `httpx.AsyncClient`, take an `ssl.SSLContext`, and nobody makes
them a new one after a rotation. So these ask the source at each handshake. Both judge the peer's
SPIFFE ID within the handshake, against the bundle of its own trust domain.

A source that was closed, as the package does when the identity is lost, ends in handshakes that
fail: what was lost is no longer shown.
"""

import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Refusal
from finial.wire import tls

_HTTP: Final = ("http/1.1",)

Judge = Callable[[tls.Session], None]


class Source(Protocol):
    """What is asked of an `X509Source`."""

    def get_x509_context(self) -> Any:
        """The SVID and the bundles of this moment."""
        ...

    def subscribe_for_updates(self, callback: Callable[[], None], /) -> None:
        """Have a function called, in some thread, whenever they change."""
        ...

    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        ...


def server_context(
    source: Source, callers: Callable[[SpiffeId], bool], *, alpn: Sequence[str] = _HTTP
) -> ssl.SSLContext:
    """Make a context for a server that lets in whom `callers` says, and nobody without an SVID.

    `alpn` names the protocols that the server speaks.
    """

    def judge(session: tls.Session) -> None:
        caller = peer(session)
        if not callers(caller):
            raise ssl.SSLError(f"{caller} is not let in")

    held = _Held(source)
    context = tls.server_context(held.identity, held.bundles, alpn)
    _judge_with(context, judge)
    return context


def client_context(source: Source, server: str, *, alpn: Sequence[str] = _HTTP) -> ssl.SSLContext:
    """Make a context for calling the server with that SPIFFE ID, under whatever name or address.

    Raises: Refusal of kind INVALID for what is no SPIFFE ID.
    """
    return _Following.of(_Held(source), SpiffeId.parse(server), alpn)


def peer(session: tls.Session) -> SpiffeId:
    """Return who is at the other end of a server's connection.

    `session` is what `transport.get_extra_info("ssl_object")` gives. Raises: ssl.SSLError.
    """
    try:
        found = tls.peer_id(session)
    except Refusal as refusal:
        raise ssl.SSLError(refusal.detail) from refusal
    if found is None:
        raise ssl.SSLError("the caller has no certificate")
    return found


class _Held:
    """What the source last gave, converted once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._is_stale = True
        self._identity: tls.TlsIdentity | None = None
        self._bundles: tuple[Bundle, ...] = ()
        source.subscribe_for_updates(self._changed)

    def identity(self) -> tls.TlsIdentity:
        self._refresh()
        assert self._identity is not None
        return self._identity

    def bundles(self) -> tuple[Bundle, ...]:
        self._refresh()
        return self._bundles

    def bundle_of(self, trust_domain: TrustDomain) -> Bundle:
        for bundle in self.bundles():
            if bundle.trust_domain == trust_domain:
                return bundle
        raise ssl.SSLError(f"there is no bundle of {trust_domain}")

    def _changed(self) -> None:
        self._is_stale = True

    def _refresh(self) -> None:
        if not self._is_stale and not self._source.is_closed():
            return
        # Whatever comes while we read makes it stale again.
        self._is_stale = False
        try:
            found = self._source.get_x509_context()
        except Exception:
            self._is_stale = True
            raise
        svid = found.default_svid
        self._identity = tls.TlsIdentity(
            tuple(each.public_bytes(Encoding.DER) for each in svid.cert_chain),
            svid.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        )
        self._bundles = tuple(_converted(found.x509_bundle_set.bundles))


def _converted(bundles: Iterable[Any]) -> Iterable[Bundle]:
    for each in bundles:
        ders = sorted(one.public_bytes(Encoding.DER) for one in each.x509_authorities)
        yield Bundle(TrustDomain(each.trust_domain.name), tuple(map(X509Authority, ders)))


class _Following(ssl.SSLContext):
    """A client's context, which makes each connection with the context of that moment."""

    _held: _Held
    _server: SpiffeId
    _alpn: Sequence[str]
    _built: tuple[tls.TlsIdentity, Bundle, Sequence[str], ssl.SSLContext] | None

    @classmethod
    def of(cls, held: _Held, server: SpiffeId, alpn: Sequence[str]) -> "_Following":
        made = cls(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        made._held, made._server, made._alpn, made._built = held, server, alpn, None
        return made

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Take what an HTTP client says of the protocols that it speaks."""
        self._alpn = tuple(alpn_protocols)

    def wrap_bio(self, *given: Any, **named: Any) -> ssl.SSLObject:
        """Begin a connection of asyncio."""
        return self._current().wrap_bio(*given, **named)

    def wrap_socket(self, *given: Any, **named: Any) -> ssl.SSLSocket:
        """Begin a connection of a thread."""
        return self._current().wrap_socket(*given, **named)

    def _current(self) -> ssl.SSLContext:
        identity = self._held.identity()
        bundle = self._held.bundle_of(self._server.trust_domain)
        built = self._built
        if built and built[0] is identity and built[1] is bundle and built[2] == self._alpn:
            return built[3]
        context = tls.client_context(identity, bundle)
        context.set_alpn_protocols(list(self._alpn))
        _judge_with(context, _refusing(tls.server_is(self._server)))
        self._built = (identity, bundle, self._alpn, context)
        return context


def _refusing(judge: Judge) -> Judge:
    def refuse(session: tls.Session) -> None:
        try:
            judge(session)
        except Refusal as refusal:
            raise ssl.SSLError(refusal.detail) from refusal

    return refuse


def _judge_with(context: ssl.SSLContext, judge: Judge) -> None:
    """Have every handshake of a context end with a judgement of the peer."""

    class Judged(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            judge(self)

    class JudgedSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            judge(self)

    context.sslobject_class = Judged
    context.sslsocket_class = JudgedSocket
