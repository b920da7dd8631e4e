"""TLS contexts of the standard library that follow an `X509Source` of the package `spiffe`.

asyncio, and with it uvicorn and `httpx.AsyncClient`, take an `ssl.SSLContext`, and nobody makes
them a new one after a rotation. So these ask the source at each handshake. Both judge the peer's
SPIFFE ID within the handshake, against the bundle of its own trust domain.

A source that was closed, as the package does when the identity is lost, ends in handshakes that
fail: what was lost is no longer shown.
"""

import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Moment:
    """What the source gave between two of its changes."""

    change: object
    identity: tls.TlsIdentity
    bundles: tuple[Bundle, ...]


class _Held:
    """What the source last gave, converted once; any thread may ask."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._change = object()
        self._moment: _Moment | None = None
        source.subscribe_for_updates(self._changed)

    def identity(self) -> tls.TlsIdentity:
        return self.now().identity

    def bundles(self) -> tuple[Bundle, ...]:
        return self.now().bundles

    def now(self) -> _Moment:
        known = self._moment
        if known is not None and known.change is self._change and not self._source.is_closed():
            return known
        # Whatever comes while we read makes what we read stale.
        change = self._change
        found = self._source.get_x509_context()
        svid = found.default_svid
        identity = tls.TlsIdentity(
            tuple(each.public_bytes(Encoding.DER) for each in svid.cert_chain),
            svid.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        )
        bundles = tuple(_converted(found.x509_bundle_set.bundles))
        self._moment = made = _Moment(change, identity, bundles)
        return made

    def _changed(self) -> None:
        self._change = object()


def _converted(bundles: Iterable[Any]) -> Iterable[Bundle]:
    for each in bundles:
        ders = sorted(one.public_bytes(Encoding.DER) for one in each.x509_authorities)
        yield Bundle(TrustDomain(each.trust_domain.name), tuple(map(X509Authority, ders)))


def _bundle_of(trust_domain: TrustDomain, bundles: Iterable[Bundle]) -> Bundle:
    for bundle in bundles:
        if bundle.trust_domain == trust_domain:
            return bundle
    raise ssl.SSLError(f"there is no bundle of {trust_domain}")


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
        moment = self._held.now()
        identity = moment.identity
        bundle = _bundle_of(self._server.trust_domain, moment.bundles)
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
    """Have every handshake of a context end with a judgement of the peer.

    OpenSSL shakes hands by itself when somebody reads or writes who has not; so these see to it
    that the peer was judged.
    """

    class Judged(ssl.SSLObject):
        _is_judged = False

        def do_handshake(self) -> None:
            super().do_handshake()
            judge(self)
            self._is_judged = True

        def read(self, *given: Any, **named: Any) -> Any:
            _insist(self, self._is_judged)
            return super().read(*given, **named)

        def write(self, *given: Any) -> int:
            _insist(self, self._is_judged)
            return super().write(*given)

    class JudgedSocket(ssl.SSLSocket):
        _is_judged = False

        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            judge(self)
            self._is_judged = True

        def read(self, *given: Any, **named: Any) -> Any:
            _insist(self, self._is_judged)
            return super().read(*given, **named)

        def write(self, *given: Any) -> int:
            _insist(self, self._is_judged)
            return super().write(*given)

        def send(self, *given: Any) -> int:
            _insist(self, self._is_judged)
            return super().send(*given)

    context.sslobject_class = Judged
    context.sslsocket_class = JudgedSocket


def _insist(session: ssl.SSLObject | ssl.SSLSocket, is_judged: bool) -> None:
    if not is_judged:
        session.do_handshake()
