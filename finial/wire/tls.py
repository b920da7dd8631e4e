"""TLS that follows an SVID and a bundle: 1.3 only, no session tickets, our own judgement of peers.

OpenSSL validates the path. It accepts a leaf that is a CA, has no URI or several, or names
another trust domain, so the leaf is judged again, from its DER. Tickets are off everywhere:
through a resumed session a root that was removed would go on working.
"""

import base64
import logging
import os
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from cryptography import x509

from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import judge_leaf

_log = logging.getLogger("finial.wire")
_ALPN: Final = ("h2",)


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """Our own SVID: the chain in DER, leaf first, and its key as unencrypted PKCS#8 DER."""

    chain: tuple[bytes, ...]
    private_key: bytes = field(repr=False)


class Session(Protocol):
    """What is asked of a TLS connection: `ssl.SSLObject`, or that of another event loop."""

    @property
    def context(self) -> ssl.SSLContext:
        """The context, which is the one that was put in during the handshake."""
        ...

    def getpeercert(self, binary_form: bool, /) -> Any:
        """The peer's certificate."""
        ...


class _Context(ssl.SSLContext):
    """Knows which bundles its store was filled from."""

    trusted: tuple[Bundle, ...] = ()


def server_context(
    identity: Callable[[], TlsIdentity],
    trust: Callable[[], Sequence[Bundle]],
    alpn: Sequence[str] = _ALPN,
) -> ssl.SSLContext:
    """Make a context that presents what `identity` gives and trusts what `trust` gives just then.

    Both are asked at each handshake; a context is built anew only when one of them has given
    another object. A client's certificate is asked for and not demanded.
    """
    source = _Source(identity, trust, alpn)

    def swap(
        session: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _base: ssl.SSLContext
    ) -> int | None:
        try:
            session.context = source.current()
        except Exception:
            _log.exception("there is no certificate to present")
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        return None

    base = _new_context(ssl.PROTOCOL_TLS_SERVER, ssl.CERT_OPTIONAL, alpn)
    base.sni_callback = swap  # called for every hello, also for one without a server name
    return base


def web_context(identity: Callable[[], TlsIdentity]) -> ssl.SSLContext:
    """Make a context for HTTP/1.1 that presents what `identity` gives at each handshake.

    A client's certificate is not asked for: browsers and `curl` come with a token.
    """
    built: dict[int, tuple[TlsIdentity, ssl.SSLContext]] = {}

    def swap(session: ssl.SSLObject | ssl.SSLSocket, _name: str, _base: ssl.SSLContext) -> None:
        now = identity()
        known = built.get(0)
        if known is None or known[0] is not now:
            context = _web()
            _present(context, now)
            known = built[0] = (now, context)
        session.context = known[1]

    base = _web()
    base.sni_callback = swap
    return base


def _web() -> ssl.SSLContext:
    context = _new_context(ssl.PROTOCOL_TLS_SERVER, ssl.CERT_NONE)
    context.set_alpn_protocols(["http/1.1"])
    return context


def client_context(identity: TlsIdentity | None, bundle: Bundle | None) -> ssl.SSLContext:
    """Make a context for calling a server; names in its certificate play no part.

    Without a bundle the server's chain is not validated at all: that is insecure bootstrap, where
    only the SPIFFE ID is compared. Use `server_is` to judge the server in either case.
    """
    mode = ssl.CERT_NONE if bundle is None else ssl.CERT_REQUIRED
    context = _new_context(ssl.PROTOCOL_TLS_CLIENT, mode)
    if identity is not None:
        _present(context, identity)
    if bundle is not None:
        _trust(context, (bundle,))
    return context


def server_is(expected: SpiffeId) -> Callable[[Session], None]:
    """Return a judge that wants exactly that SPIFFE ID of the server.

    Raises (the judge): Refusal UNAUTHENTICATED.
    """

    def judge(session: Session) -> None:
        found = _judged(session)
        if found != expected:
            shown = "no certificate" if found is None else str(found)
            raise Refusal(
                Kind.UNAUTHENTICATED,
                f"the server is not {expected}, it is {shown}",
                field="spiffe_id",
                value=shown,
            )

    return judge


def peer_id(session: Session) -> SpiffeId | None:
    """Return who the client is, by its certificate; None when it showed none.

    Raises: Refusal UNAUTHENTICATED for a leaf that is no X.509-SVID or names a trust domain whose
    bundle did not vouch for it.

    Spec: X509-SVID section 5 (X509-26 to X509-31), SPIFFE-ID section 3 (ID-20).
    """
    found = _judged(session)
    if found is None:
        return None
    context = session.context
    bundles = context.trusted if isinstance(context, _Context) else ()
    if not any(_vouches(bundle, session, found, len(bundles) == 1) for bundle in bundles):
        raise Refusal(
            Kind.UNAUTHENTICATED,
            f"{found} is not of a trust domain whose bundle vouches for it",
            field="spiffe_id",
            value=str(found),
        )
    return found


def _judged(session: Session) -> SpiffeId | None:
    der = session.getpeercert(True)
    if der is None:
        return None
    try:
        return judge_leaf(x509.load_der_x509_certificate(der))
    except Refusal as refusal:
        raise Refusal(Kind.UNAUTHENTICATED, refusal.detail, value=refusal.value) from refusal
    except ValueError as failure:
        raise Refusal(Kind.UNAUTHENTICATED, "the peer's certificate is malformed") from failure


def _vouches(bundle: Bundle, session: Session, found: SpiffeId, is_only: bool) -> bool:
    """Whether the path ends in this bundle, which has to be that of the peer's trust domain."""
    if bundle.trust_domain != found.trust_domain:
        return False
    return is_only or _anchor(session) in {each.der for each in bundle.x509_authorities}


def _anchor(session: Any) -> bytes:
    """Return the certificate at the end of the validated path, in DER."""
    if hasattr(session, "get_verified_chain"):  # from Python 3.13
        return bytes(session.get_verified_chain()[-1])
    anchor = session._sslobj.get_verified_chain()[-1]
    return ssl.PEM_cert_to_DER_cert(anchor.public_bytes())


class _Source:
    """The context for the identity and the bundles of this moment."""

    def __init__(
        self,
        identity: Callable[[], TlsIdentity],
        trust: Callable[[], Sequence[Bundle]],
        alpn: Sequence[str] = _ALPN,
    ) -> None:
        self._identity = identity
        self._trust = trust
        self._alpn = alpn
        self._built: tuple[TlsIdentity, tuple[Bundle, ...], _Context] | None = None

    def current(self) -> _Context:
        identity, bundles = self._identity(), tuple(self._trust())
        built = self._built
        if built is not None and built[0] is identity and _same(built[1], bundles):
            return built[2]
        context = _new_context(ssl.PROTOCOL_TLS_SERVER, ssl.CERT_OPTIONAL, self._alpn)
        _present(context, identity)
        _trust(context, bundles)
        self._built = (identity, bundles, context)
        return context


def _same(one: tuple[Bundle, ...], other: tuple[Bundle, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _new_context(protocol: int, mode: ssl.VerifyMode, alpn: Sequence[str] = _ALPN) -> _Context:
    context = _Context(protocol)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_TICKET
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    context.verify_mode = mode
    # A bundle may hold an intermediate as its anchor (Trust Domain and Bundle, section 4.1).
    context.verify_flags |= ssl.VerifyFlags(ssl.VERIFY_X509_PARTIAL_CHAIN)
    context.set_alpn_protocols(list(alpn))
    return context


def _trust(context: _Context, bundles: tuple[Bundle, ...]) -> None:
    context.trusted = bundles
    for bundle in bundles:
        if bundle.x509_authorities:
            # As text: a Python that was built with OpenSSL 3.0 and runs with 3.5, as after an
            # upgrade of Debian, takes the end of DER for a fault.
            pem = (ssl.DER_cert_to_PEM_cert(each.der) for each in bundle.x509_authorities)
            context.load_verify_locations(cadata="".join(pem))


def _present(context: ssl.SSLContext, identity: TlsIdentity) -> None:
    with _in_memory(_pem(identity)) as path:
        context.load_cert_chain(path)


def _pem(identity: TlsIdentity) -> bytes:
    certificates = "".join(ssl.DER_cert_to_PEM_cert(der) for der in identity.chain)
    key = base64.encodebytes(identity.private_key)
    label = b"PRIVATE KEY-----\n"
    return b"-----BEGIN " + label + key + b"-----END " + label + certificates.encode()


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Give content a path without a file: Python's ssl reads a key from a path only."""
    descriptor = os.memfd_create("svid", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
