"""Secrets and offers of them, made short; what is in them does not matter."""

from collections.abc import Iterable, Mapping

from agent.api.sds.catalogue import Missing, Offer
from agent.api.sds.secret import SECRET_TYPE, Secret
from finial.spiffe.refusal import Kind
from finial.wire.pb.well_known import Any as Packed

DENIED = Missing(Kind.DENIED)
COMING = Missing(Kind.UNAVAILABLE, "it is being signed")


def secret(name: str, version: str = "1") -> Secret:
    packed = Packed(type_url=SECRET_TYPE, value=f"{name}={version}".encode())
    return Secret(name, version, packed)


def offer(missing: Mapping[str, Missing] | None = None, **versions: str) -> Offer:
    """An offer of secrets by name and version; underscores stand for themselves."""
    return Offer({n: secret(n, v) for n, v in versions.items()}, missing or {})


def values(resources: Iterable[Packed]) -> list[str]:
    return sorted(each.value.decode() for each in resources)
