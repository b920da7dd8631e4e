"""A caller's certificate as a proxy hands it on: PEM in percent-encoding, only looked at."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography import x509

MAX_TEXT: Final = 16 * 1024
MAX_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """A leaf's serial number, and all URIs that it names."""

    serial: int
    uris: tuple[str, ...]


class Certificates:
    """Reads certificates, the same one once; a proxy sends it with each request of a connection."""

    def __init__(self, most: int = MAX_REMEMBERED) -> None:
        self._most = most
        self._seen: OrderedDict[str, Seen | None] = OrderedDict()

    def read(self, text: str) -> Seen | None:
        """The certificate, the first if there are several; None for a text that holds none."""
        if text in self._seen:
            self._seen.move_to_end(text)
            return self._seen[text]
        if len(text) > MAX_TEXT:
            return None
        found = self._seen[text] = _read(text)
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return found


def _read(text: str) -> Seen | None:
    try:
        certificate = x509.load_pem_x509_certificate(unquote_to_bytes(text))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Seen(certificate.serial_number, ())
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return Seen(certificate.serial_number, tuple(uris))
