"""Asking Cedar, with what it needs held ready: parsed statements and entities."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from finial.policy.cedar.text import ACTION, PREFIX, WORKLOAD, place
from finial.policy.decision import Ruling
from finial.policy.grounds import Ground
from finial.policy.path.pattern import PLACES
from finial.policy.statement import Statement
from finial.spiffe.identity import SpiffeId

if TYPE_CHECKING:
    import cedarpy

Attributes = Mapping[str, Sequence[str]]
"""The values of an identity's attributes by name: all that its entries give it."""

_ACTION: Final = {"type": "Action", "id": ACTION}


def parse(statements: Sequence[Statement]) -> "cedarpy.PolicySet":
    """What Cedar makes of these statements.

    Raises: ValueError if one of them does not parse.
    """
    import cedarpy

    return cedarpy.PolicySet.from_str("\n".join(each.text for each in statements))


def entities(
    workloads: Mapping[SpiffeId, Attributes], names: Collection[str], prefixes: Collection[str]
) -> "cedarpy.Entities":
    """Both workloads for Cedar, with the attributes and prefixes that statements use.

    Raises: ValueError if a name is one that Cedar keeps for itself.
    """
    import cedarpy

    listed = [_entity(each, has, names, prefixes) for each, has in workloads.items()]
    return cedarpy.Entities.from_json_str(msgspec.json.encode(listed).decode())


def context(method: str, path: str, with_places: bool) -> str:
    """What Cedar is told of a request besides the two workloads, as JSON."""
    segments = path.split("/")[1:]
    told: dict[str, object] = {"method": method, "path": path, "depth": len(segments)}
    if with_places:
        told["segments"] = [place(*each) for each in enumerate(segments[:PLACES])]
    return msgspec.json.encode(told).decode()


def ask(
    statements: Sequence[Statement],
    parsed: "cedarpy.PolicySet",
    known: "cedarpy.Entities",
    request: Mapping[str, Any],
) -> Ruling:
    """Let Cedar decide; an error in any statement is a denial, since it may be one that forbids."""
    import cedarpy

    result = cedarpy.is_authorized(dict(request), parsed, known)
    if result.diagnostics.errors or result.decision is cedarpy.Decision.NoDecision:
        return Ruling(False, Ground.RULE_ERROR)
    # Cedar names statements by their place in the text: policy0, policy1.
    numbers = sorted(int(each.removeprefix("policy")) for each in result.diagnostics.reasons)
    by = tuple(statements[number].name for number in numbers)
    if result.allowed:
        return Ruling(True, Ground.ALLOWED, by)
    return Ruling(False, Ground.FORBIDDEN if by else Ground.NO_RULE, by)


def question(caller: SpiffeId, callee: SpiffeId, told: str) -> dict[str, object]:
    """A request as Cedar takes it."""
    return {
        "principal": {"type": WORKLOAD, "id": str(caller)},
        "action": _ACTION,
        "resource": {"type": WORKLOAD, "id": str(callee)},
        "context": told,
    }


def _entity(
    workload: SpiffeId, has: Attributes, names: Collection[str], prefixes: Collection[str]
) -> dict[str, object]:
    return {
        "uid": {"type": WORKLOAD, "id": str(workload)},
        "attrs": {
            "id": str(workload),
            "trust_domain": str(workload.trust_domain),
            "path": workload.path,
            "attributes": {name: list(has.get(name, ())) for name in names},
        },
        "parents": [
            {"type": PREFIX, "id": prefix}
            for prefix in prefixes
            if str(workload).startswith(prefix + "/")
        ],
    }
