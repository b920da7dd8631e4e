"""What is shown over HTTPS: the server's own certificate, or one that was given."""

import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ca.settings import Oidc, Rest
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.tls import TlsIdentity, web_context

logger = logging.getLogger("finial.rest")


def https_context(settings: Rest | Oidc, own: Callable[[], TlsIdentity]) -> ssl.SSLContext:
    """Make the TLS context, which follows the certificate as it is renewed.

    `own` gives the server's own certificate with the configured DNS names at that moment.

    Raises: Refusal of kind PRECONDITION when the files that were given cannot be used.
    """
    if settings.certificate_file is None or settings.key_file is None:
        return web_context(own)
    given = GivenIdentity(settings.certificate_file, settings.key_file)
    given.current()
    return web_context(given.current)


class GivenIdentity:
    """A certificate and key in PEM files, read again when one of them has changed."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        self._read: tuple[object, TlsIdentity] | None = None
        self._fault = ""

    def current(self) -> TlsIdentity:
        """Return the identity of this moment; a broken replacement leaves the former one.

        Raises: Refusal of kind PRECONDITION when nothing could ever be read.
        """
        try:
            stamp = tuple(_stamp(path) for path in (self._certificate, self._key))
            if self._read is None or self._read[0] != stamp:
                self._read = (stamp, self._load())
            self._fault = ""
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as fault:
            self._complain(fault)
        assert self._read is not None
        return self._read[1]

    def _complain(self, fault: Exception) -> None:
        sentence = f"the certificate {self._certificate} or its key cannot be used: {fault}"
        if self._read is None:
            raise Refusal(Kind.PRECONDITION, sentence) from fault
        # Once, and not at each handshake: anybody can make one.
        if sentence != self._fault:
            logger.warning("%s; the former one stays", sentence)
        self._fault = sentence

    def _load(self) -> TlsIdentity:
        chain = x509.load_pem_x509_certificates(self._certificate.read_bytes())
        key = load_pem_private_key(self._key.read_bytes(), None)
        if key.public_key() != chain[0].public_key():
            raise ValueError("the key is not that of the certificate")
        return TlsIdentity(
            tuple(each.public_bytes(Encoding.DER) for each in chain),
            key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        )


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
