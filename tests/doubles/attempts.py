"""Attempts of callers and the situation of their agent, made short."""

from typing import Any

from agent.attestation.attempt import Attempt, Caller
from agent.attestation.causes import causes
from agent.attestation.fixes import fixes
from agent.attestation.reading import Reading
from agent.attestation.situation import Situation
from agent.cache.entitlement import Entitlement, Entitlements
from agent.cache.view import Holdings
from finial.explain.evidence import Said
from finial.spiffe.bundle import Bundle, X509Authority
from tests.doubles.clock import NOW
from tests.doubles.entitlements import TRUST_DOMAIN, held_svid
from tests.doubles.evidence import GRAMMARS, attested

AGENT = "spiffe://example.org/spire/agent/x509pop/node"
NO_ENTRY = "no identity issued: no entry of this agent matches the process"
UNIX = attested("unix", "uid:1000", "user:web", "gid:100", "path:/usr/bin/web")


def attempt(*said: Said, reason: str = NO_ENTRY, **changes: Any) -> Attempt:
    """A refused attempt of the process 7, a minute ago."""
    caller = changes.pop("caller", Caller(7, 1000, 100, 1, "/usr/bin/web"))
    return Attempt(caller, "FetchX509SVID", said, NOW - 60, NOW - 60, reason=reason, **changes)


def situation(*entries: Entitlement, signed: bool = True, **changes: Any) -> Situation:
    """An agent in touch with its server, which has these entries and their SVIDs."""
    holdings = Holdings(
        TRUST_DOMAIN,
        Entitlements(entries),
        {each.id: held_svid(each.id) for each in entries} if signed else {},
        {TRUST_DOMAIN: Bundle(TRUST_DOMAIN, (X509Authority(b"der"),))},
        changes.pop("synced", True),
    )
    given = {
        "agent_id": AGENT,
        "now": NOW,
        "holdings": changes.pop("holdings", holdings),
        "grammars": GRAMMARS,
        "attestors": ("unix",),
        "server": "ca:8081",
    }
    return Situation(**{**given, **changes})


def reading(
    *entries: Entitlement, said: tuple[Said, ...] = (UNIX,), of: Attempt | None = None, **state: Any
) -> Reading:
    return Reading(attempt(*said) if of is None else of, situation(*entries, **state))


def judge_advice(read: Reading, expected: list[str], advice: list[str]) -> None:
    """The causes are these, the commands or sentences that mend them those, and none is needless."""
    fixed = fixes(read)
    assert list(causes(read)) == expected
    assert [each.command or each.what for each in fixed] == advice
    assert len(set(fixed)) == len(fixed)
    alternatives = [each for each in fixed if each.what.startswith("or ")]
    assert len(alternatives) < max(len(fixed), 1)
