"""Causes that lie in the agent, in its server or in the process, not in an entry."""

from typing import Any

import pytest

from agent.attestation.attempt import Caller
from agent.attestation.reading import Reading
from agent.attestation.situation import (
    ATTESTATION,
    SIGNING,
    STREAM,
    SYNCHRONISATION,
    Trouble,
)
from agent.cache.view import Holdings
from agent.membership.standing import Phase
from finial.explain.evidence import DENIED, Said
from tests.doubles.attempts import AGENT, UNIX, attempt, judge_advice, reading
from tests.doubles.clock import NOW
from tests.doubles.entitlements import TRUST_DOMAIN, entitlement
from tests.doubles.evidence import attested, failed

AWAY = Trouble("connection refused", NOW - 90)
NO_ENGINE = failed("docker", "no engine answers at /run/docker.sock")
SETUID = Said("unix", DENIED, detail="it connected with uid 1000 and now has uid 0")
DOCKER = attested("docker", "label:app:webb", "env:TOKEN=s3cret")
REGISTER = f"finial entry create --for-pid 7 --agent {AGENT}"
WEB = entitlement("web", "unix:uid:1000")


def asked_in_vain(reason: str, *said: Said, **changes: Any) -> Any:
    return attempt(*said, reason=reason, **changes)


SITUATIONS: dict[str, tuple[Reading, list[str], list[str]]] = {
    "served": (reading(WEB, of=attempt(UNIX, reason="")), [], []),
    "served by what one attestor found": (
        reading(WEB, signed=False, unsigned={}, of=attempt(UNIX, NO_ENGINE, reason="")),
        ["the attestor docker failed: no engine answers at /run/docker.sock"],
        ["finial doctor"],
    ),
    "served in part": (
        reading(
            WEB,
            entitlement("db", "unix:gid:100"),
            signed=False,
            unsigned={"db": "the entry has expired"},
            of=attempt(UNIX, reason=""),
        ),
        [
            "the entry db for spiffe://example.org/db matches, but the server signs no X.509-SVID "
            "for it: the entry has expired"
        ],
        [],
    ),
    "a foreign bundle that is missing": (
        reading(
            entitlement("web", "unix:uid:1000", federates=["other.test", "third.test"]),
            of=attempt(UNIX, reason=""),
        ),
        [
            "the entry web for spiffe://example.org/web federates with other.test, third.test, of "
            "which this agent has no bundle: peers there cannot be verified"
        ],
        [
            "let the server have the bundle of other.test, or federate with it no more",
            "let the server have the bundle of third.test, or federate with it no more",
        ],
    ),
    "clocks that differ": (
        reading(clock_offset=7200.0),
        [
            f"no entry has this agent as its parent, or reaches it through one that has: {AGENT}",
            "this node's clock is 2 h behind the server's: what the server issues is not valid yet "
            "here",
        ],
        [
            REGISTER,
            "let both machines set their clocks, such as by: timedatectl set-ntp true",
        ],
    ),
    "clocks that hardly differ": (
        reading(clock_offset=0.5),
        [f"no entry has this agent as its parent, or reaches it through one that has: {AGENT}"],
        [REGISTER],
    ),
    "a stream that ended, and comparisons since": (
        reading(connected=False, last_sync=NOW - 1, troubles={STREAM: AWAY}),
        [f"no entry has this agent as its parent, or reaches it through one that has: {AGENT}"],
        [REGISTER],
    ),
    "a stream that ended, and no word since": (
        reading(WEB, signed=False, connected=False, troubles={STREAM: AWAY}, of=attempt(UNIX)),
        [
            "the entry web for spiffe://example.org/web matches, but since 1 min 30 s no "
            "X.509-SVID can be signed: connection refused",
            "the entry web for spiffe://example.org/web matches by now: it came to this agent, or "
            "was changed, after the refusal 1 min ago",
            "this agent has had no word of its server ca:8081 for 1 min 30 s, so that what was "
            "registered since is not known here: connection refused",
        ],
        ["finial doctor", "finial doctor"],
    ),
    "denied after a change of user": (
        reading(WEB, of=asked_in_vain("the workload cannot be attested: unix denies it", SETUID)),
        [
            "the workload cannot be attested: unix denies it",
            "the attestor unix denied this process: it connected with uid 1000 and now has uid 0",
            "no attestor found a selector of this process (unix: it connected with uid 1000 and "
            "now has uid 0)",
            "the entry web for spiffe://example.org/web asks for unix:uid:1000, but the attestor "
            "unix denied: it connected with uid 1000 and now has uid 0",
        ],
        ["connect anew: who connects has to be who runs when it is looked at", REGISTER],
    ),
    "denied by one, matching by another": (
        reading(
            entitlement("web", "docker:label:app:webb"),
            of=asked_in_vain("the workload cannot be attested: unix denies it", SETUID, DOCKER),
        ),
        [
            "the workload cannot be attested: unix denies it",
            "the attestor unix denied this process: it connected with uid 1000 and now has uid 0",
        ],
        ["connect anew: who connects has to be who runs when it is looked at"],
    ),
    "it has ended": (
        reading(
            WEB, of=asked_in_vain("the workload cannot be attested: process 7 has ended", UNIX)
        ),
        ["the workload cannot be attested: process 7 has ended"],
        ["let it ask again: it would be served now"],
    ),
    "another identity than it has": (
        reading(WEB, of=attempt(UNIX, asked_for="spiffe://example.org/admin")),
        ["it asked for spiffe://example.org/admin, and its entries grant spiffe://example.org/web"],
        ["let it ask for spiffe://example.org/web, or name no SPIFFE ID", REGISTER],
    ),
    "an entry for stores": (
        reading(entitlement("web", "unix:uid:1000", store_svid=True)),
        [
            "the entry web for spiffe://example.org/web matches, but its SVID is for stores only "
            "(store_svid), not for workloads"
        ],
        ["finial entry update web --no-store-svid", REGISTER],
    ),
    "an SVID that the server refuses": (
        reading(
            WEB,
            signed=False,
            unsigned={"web": "the entry has expired"},
            of=asked_in_vain("the SVID could not be signed in time", UNIX),
        ),
        [
            "the SVID could not be signed in time",
            "the entry web for spiffe://example.org/web matches, but the server signs no "
            "X.509-SVID for it: the entry has expired",
        ],
        ["finial doctor"],
    ),
    "a server that signs nothing": (
        reading(WEB, signed=False, troubles={SIGNING: AWAY}, of=attempt(UNIX, reason="late")),
        [
            "late",
            "the entry web for spiffe://example.org/web matches, but since 1 min 30 s no "
            "X.509-SVID can be signed: connection refused",
        ],
        ["finial doctor"],
    ),
    "an agent without a bundle": (
        reading(
            of=attempt(UNIX, reason=""),
            holdings=Holdings(
                TRUST_DOMAIN, reading(WEB).situation.holdings.entitlements, synced=True
            ),
        ),
        [
            "the entry web for spiffe://example.org/web matches, but the agent has no trust "
            "bundle yet"
        ],
        ["finial doctor"],
    ),
    "an agent that never synced": (
        reading(
            synced=False,
            phase=Phase.UNATTESTED,
            connected=False,
            troubles={ATTESTATION: AWAY},
            of=asked_in_vain("the agent has not yet learned its entries from the server"),
        ),
        [
            "the agent has not yet learned its entries from the server",
            "this agent is unattested: its server has to accept it first",
            "this agent has never learned its entries from its server ca:8081: connection refused",
        ],
        ["finial doctor"],
    ),
    "an agent that is about to sync": (
        reading(synced=False, of=asked_in_vain("not yet")),
        ["not yet", "this agent has never learned its entries from its server ca:8081"],
        ["finial doctor"],
    ),
    "an agent that is cut off": (
        reading(
            entitlement("web", "unix:uid:1001"),
            connected=False,
            troubles={STREAM: AWAY, SYNCHRONISATION: AWAY},
        ),
        [
            "this agent has had no word of its server ca:8081 for 1 min 30 s, so that what was "
            "registered since is not known here: connection refused",
            "the entry web for spiffe://example.org/web asks for unix:uid:1001, but unix:uid is "
            "'1000', not '1001'",
        ],
        [
            "finial doctor",
            REGISTER,
            "or start the process so that it has unix:uid:1001, if it is to be "
            "spiffe://example.org/web",
        ],
    ),
    "an agent that is cut off, and an entry that is nearly met": (
        reading(
            entitlement("web", "unix:uid:1000", "unix:gid:1001"),
            connected=False,
            troubles={STREAM: AWAY, SYNCHRONISATION: AWAY},
        ),
        [
            "the entry web for spiffe://example.org/web asks for unix:gid:1001, but unix:gid is "
            "'100', not '1001'; one is the beginning of the other (1 other selector of it met)",
            "this agent has had no word of its server ca:8081 for 1 min 30 s, so that what was "
            "registered since is not known here: connection refused",
        ],
        [
            "finial doctor",
            "start the process so that it has unix:gid:1001, if it is to be "
            "spiffe://example.org/web",
            "finial entry update web --selector unix:gid:100 --selector unix:uid:1000",
            REGISTER,
        ],
    ),
    "a caller who cannot be seen": (
        reading(
            of=attempt(
                reason="the caller lives in another PID namespace",
                remedy="run the agent in the PID namespace of its host",
                caller=Caller(0, 5, 5),
            )
        ),
        ["the caller lives in another PID namespace"],
        ["run the agent in the PID namespace of its host"],
    ),
    "somebody without a PID and an entry": (
        reading(of=attempt(UNIX, caller=Caller(0, 5, 5))),
        [f"no entry has this agent as its parent, or reaches it through one that has: {AGENT}"],
        [f"finial entry create spiffe://example.org/NAME --parent {AGENT} --selector SELECTOR"],
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_causes_and_fixes_of(name: str) -> None:
    """Each step of an attestation says what went wrong in it, and what can be done about that."""
    judge_advice(*SITUATIONS[name])
