"""Whether verifiers that use OIDC discovery can accept what this server issues."""

from collections.abc import Iterator
from typing import Final

from cryptography import x509

from ca.operations.world import World
from ca.settings import Oidc, Settings
from finial.explain.checkup import failed, ok, span, warning
from finial.explain.diagnosis import Diagnosis
from finial.spiffe.oidc import is_address

DISCOVERY: Final = "oidc discovery"
CERTIFICATE: Final = "oidc certificate"
_SOON: Final = 7 * 86_400


def judge_issuer(settings: Settings) -> Diagnosis:
    """Whether the tokens say the issuer that discovery speaks for."""
    tokens, published = settings.server.jwt_issuer, settings.issuer
    if not tokens:
        return warning(
            DISCOVERY,
            f"it speaks for {published}, and JWT-SVIDs name no issuer: verifiers refuse them",
            f'set jwt_issuer = "{published}" in [server]',
        )
    if tokens != published:
        return warning(
            DISCOVERY,
            f"it speaks for {published}, and JWT-SVIDs are issued by {tokens}: "
            "verifiers refuse them, who compare every letter",
            "make issuer in [oidc] and jwt_issuer in [server] the same, or drop the former",
        )
    return ok(DISCOVERY, f"it speaks for {published}, as JWT-SVIDs do")


def diagnose_discovery(world: World) -> tuple[Diagnosis, ...]:
    """Judge what is configured; for a thread, because disks may hang. Nothing when it is off."""
    oidc = world.settings.oidc
    if oidc is None:
        return ()
    hosts = world.settings.oidc_hosts
    return (judge_issuer(world.settings), *_certificate(oidc, hosts, world.clock.now()))


def _certificate(oidc: Oidc, hosts: tuple[str, ...], now: float) -> Iterator[Diagnosis]:
    if oidc.certificate_file is None:
        return
    try:
        [leaf, *_] = x509.load_pem_x509_certificates(oidc.certificate_file.read_bytes())
    except (OSError, ValueError) as fault:
        yield failed(
            CERTIFICATE,
            f"{oidc.certificate_file} cannot be read: {fault}",
            "the former one is shown until the server is restarted: put a good one there",
        )
        return
    yield judge_certificate(leaf, hosts, now)


def judge_certificate(leaf: x509.Certificate, hosts: tuple[str, ...], now: float) -> Diagnosis:
    """Whether a certificate that was given is good now and for every host."""
    left = leaf.not_valid_after_utc.timestamp() - now
    if left <= 0:
        return failed(CERTIFICATE, f"it expired {span(-left)} ago", "put a new one there")
    bare = [host for host in hosts if not _bears(leaf, host)]
    if bare:
        return warning(CERTIFICATE, f"it does not name {bare[0]}", "have one made that does")
    if left < _SOON:
        return warning(CERTIFICATE, f"it expires in {span(left)}", "put a new one there")
    return ok(CERTIFICATE, f"it is good for {span(left)}")


def _bears(leaf: x509.Certificate, host: str) -> bool:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    if is_address(host):
        return host in map(str, names.get_values_for_type(x509.IPAddress))
    named = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    return host in named or "*." + host.partition(".")[2] in named
