"""The files of a set: what every program reads, and each program's own directives.

A file of directives names the folder of its own set, not the names that lead to the latest one: a
program that reads it while a set is replaced gets certificate, key and bundle of one set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.sidecar.material import Material, crl_pem, key_pem, pem
from cli.sidecar.settings import Program

CERTIFICATE: Final = "svid.pem"
KEY: Final = "svid.key"
BUNDLE: Final = "bundle.pem"
CRL: Final = "crl.pem"
DIRECTIVES: Final[Mapping[Program, str]] = {
    "nginx": "nginx.conf",
    "haproxy": "haproxy.crt-list",
    "postgresql": "postgresql.conf",
}
COMBINED: Final = "haproxy.pem"
PLACE: Final = b"@SET@"
"""Stands for the folder of the set, whose name is not known before it is written."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One file; `is_secret` when there is a key in it."""

    content: bytes
    is_secret: bool = False

    def at(self, place: Path) -> bytes:
        """Return its content in a set with that folder."""
        return self.content.replace(PLACE, str(place).encode())


def render(material: Material, program: Program, *, with_crl: bool) -> dict[str, Rendered]:
    """Write everything that belongs to a set; `with_crl` has the program look at the lists."""
    certificate, key = pem(material.svid.chain), key_pem(material.key)
    files = {
        CERTIFICATE: Rendered(certificate),
        KEY: Rendered(key, is_secret=True),
        BUNDLE: Rendered(pem(material.authorities)),
        CRL: Rendered(crl_pem(material.crls)),
    }
    for domain, authorities in material.federated.items():
        files[f"bundle.{domain}.pem"] = Rendered(pem(authorities))
    match program:
        case "nginx":
            files[DIRECTIVES[program]] = Rendered(_nginx(with_crl))
        case "haproxy":
            files[COMBINED] = Rendered(certificate + key, is_secret=True)
            files[DIRECTIVES[program]] = Rendered(_haproxy(with_crl))
        case "postgresql":
            files[DIRECTIVES[program]] = Rendered(_postgresql(with_crl))
        case "none":
            pass
    return files


def names_of(program: Program) -> tuple[str, ...]:
    """Name the files of a set, but for the bundles of other trust domains."""
    own = (DIRECTIVES[program],) if program in DIRECTIVES else ()
    combined = (COMBINED,) if program == "haproxy" else ()
    return (CERTIFICATE, KEY, BUNDLE, CRL, *combined, *own)


def has_crl(program: Program, directives: bytes) -> bool:
    """Whether the program was told to look at the lists by these directives."""
    sign = {"nginx": b"ssl_crl @", "haproxy": b" crl-file @", "postgresql": b"ssl_crl_file = '@"}
    return sign.get(program, b"\0") in directives


def _nginx(with_crl: bool) -> bytes:
    crl = b"ssl_crl @SET@/crl.pem;\n" if with_crl else b""
    return (
        b"ssl_certificate @SET@/svid.pem;\n"
        b"ssl_certificate_key @SET@/svid.key;\n"
        b"ssl_client_certificate @SET@/bundle.pem;\n"
        b"ssl_verify_client on;\n" + crl
    )


def _haproxy(with_crl: bool) -> bytes:
    crl = b" crl-file @SET@/crl.pem" if with_crl else b""
    return b"@SET@/haproxy.pem [ca-file @SET@/bundle.pem verify required" + crl + b"]\n"


def _postgresql(with_crl: bool) -> bytes:
    # Without a list the setting is emptied: a value from elsewhere would have it refuse everybody.
    crl = b"@SET@/crl.pem" if with_crl else b""
    return (
        b"ssl = on\n"
        b"ssl_cert_file = '@SET@/svid.pem'\n"
        b"ssl_key_file = '@SET@/svid.key'\n"
        b"ssl_ca_file = '@SET@/bundle.pem'\n"
        b"ssl_crl_file = '" + crl + b"'\n"
    )
