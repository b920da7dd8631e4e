"""What a connection is verified with and who we are on it: files that change while we run.

Kubernetes renews tokens and certificates in place, so they are read again each minute. Files that
cannot be used at that moment, such as a key that was written before its certificate, leave the
former ones in place until the next minute.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from finial.runtime.clock import Clock
from finial.spiffe.refusal import Kind, Refusal

RELOAD: Final = 60.0
MAX_TOKEN: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Access:
    """Which server, how it is verified, and who we are to it; paths name PEM files and a token.

    `url` is a scheme, a host and a port. The server is verified by the certificates in `ca_path`,
    or those in `ca_pem`, and by the host in `url`, or `server_name` in its place. `insecure`
    verifies nothing. Our own certificate and key are files, or texts.
    """

    url: str
    ca_path: str = ""
    ca_pem: str = ""
    server_name: str = ""
    insecure: bool = False
    token_path: str = ""
    token: str = field(default="", repr=False)
    certificate_path: str = ""
    private_key_path: str = ""
    certificate_pem: str = ""
    private_key_pem: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What was read: a TLS context (nothing for plain HTTP) and a bearer token, maybe empty."""

    context: ssl.SSLContext | None
    token: str = field(repr=False)


class Materials:
    """Reads the files of an access, at most once a minute."""

    def __init__(self, access: Access, clock: Clock, reload: float = RELOAD) -> None:
        self.access = access
        self._clock = clock
        self._reload = reload
        self._read_at = float("-inf")
        self._current: Credentials | None = None

    def current(self) -> Credentials:
        """Return what the files held at most a minute ago.

        Raises: Refusal of kind PRECONDITION: they can't be used, and never could.
        """
        now = self._clock.monotonic()
        if self._current is None or now - self._read_at >= self._reload:
            try:
                self._current = self.read()
            except Refusal:
                if self._current is None:
                    raise
            self._read_at = now
        return self._current

    def read(self) -> Credentials:
        """Read the files as they are now.

        Raises: Refusal of kind PRECONDITION.
        """
        access = self.access
        token = _token(access.token_path) if access.token_path else access.token
        if not access.url.startswith("https://"):
            return Credentials(None, token)
        return Credentials(_context(access), token)


def _context(access: Access) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = not access.insecure
    context.verify_mode = ssl.CERT_NONE if access.insecure else ssl.CERT_REQUIRED
    try:
        if not access.insecure:
            context.load_verify_locations(access.ca_path or None, cadata=access.ca_pem or None)
        if access.certificate_path:
            context.load_cert_chain(
                access.certificate_path, access.private_key_path or access.certificate_path, _no_one
            )
        elif access.certificate_pem:
            with _in_memory(access.certificate_pem, access.private_key_pem) as path:
                context.load_cert_chain(path, password=_no_one)
    except (OSError, ValueError, TypeError) as error:
        named = ", ".join(filter(None, (access.ca_path, access.certificate_path)))
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or "unreadable"
        raise Refusal(
            Kind.PRECONDITION,
            f"the certificates for {access.url} cannot be used ({reason})",
            value=named,
            remedy=f"look at {named or 'the CA certificates'}: PEM files, readable, that belong "
            "together",
        ) from error
    return context


@contextmanager
def _in_memory(*texts: str) -> Iterator[str]:
    # OpenSSL takes a certificate from a file only; this one is on no disk.
    descriptor = os.memfd_create("finial-certificate", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write("\n".join(texts).encode())
        file.flush()
        yield f"/proc/self/fd/{descriptor}"


def _no_one() -> str:
    # An encrypted key would make OpenSSL ask a terminal.
    return ""


def _token(path: str) -> str:
    try:
        content = Path(path).read_bytes()[: MAX_TOKEN + 1]
        token = content.decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise _no_token(path, f"cannot be read ({reason})") from error
    if not token or len(token) > MAX_TOKEN or not token.isprintable():
        raise _no_token(path, "holds no token")
    return token


def _no_token(path: str, fault: str) -> Refusal:
    return Refusal(
        Kind.PRECONDITION,
        f"the token in {path} {fault}",
        value=path,
        remedy="mount a projected service account token there",
    )
