"""Which causes are told of which situation, and what is advised."""

from typing import Any

import pytest

from agent.attestation.causes import causes
from agent.attestation.reading import Reading
from agent.attestation.situation import (
    Trouble,
)
from finial.explain.evidence import DENIED, Said
from tests.doubles.attempts import AGENT, UNIX, attempt, judge_advice, reading
from tests.doubles.clock import NOW
from tests.doubles.entitlements import entitlement
from tests.doubles.evidence import attested, failed, not_applicable

AWAY = Trouble("connection refused", NOW - 90)
NO_ENGINE = failed("docker", "no engine answers at /run/docker.sock")
SETUID = Said("unix", DENIED, detail="it connected with uid 1000 and now has uid 0")
DOCKER = attested("docker", "label:app:webb", "env:TOKEN=s3cret")
REGISTER = f"finial entry create --for-pid 7 --agent {AGENT}"
WEB = entitlement("web", "unix:uid:1000")


def asked_in_vain(reason: str, *said: Said, **changes: Any) -> Any:
    return attempt(*said, reason=reason, **changes)


SITUATIONS: dict[str, tuple[Reading, list[str], list[str]]] = {
    "something that could not be seen": (
        reading(
            entitlement("web", "unix:path:/usr/bin/web", "unix:uid:1000"),
            said=(attested("unix", "uid:1000", remarks=("the program cannot be looked at",)),),
        ),
        [
            "the entry web for spiffe://example.org/web asks for unix:path:/usr/bin/web, but no "
            "unix:path was found: the program cannot be looked at (1 other selector of it met)"
        ],
        [
            "see to what keeps unix:path:/usr/bin/web from being found: the program cannot be "
            "looked at",
            REGISTER,
        ],
    ),
    "a label that came with the image": (
        reading(
            entitlement("web", "docker:label:app:web"),
            said=(UNIX, attested("docker", "image_label:app:web")),
        ),
        [
            "the entry web for spiffe://example.org/web asks for docker:label:app:web, but it is "
            "no docker:label: the same was found as docker:image_label, which relies on the "
            "image_label's owner"
        ],
        [
            "start the process so that it has docker:label:app:web, if it is to be "
            "spiffe://example.org/web",
            "finial entry update web --selector docker:image_label:app:web",
            REGISTER,
        ],
    ),
    "something that a setting asks for": (
        reading(entitlement("web", "unix:cgroup:/web.slice")),
        [
            "the entry web for spiffe://example.org/web asks for unix:cgroup:/web.slice, but no "
            "unix:cgroup was found: it is given where the attestor's setting discover_cgroup asks "
            "for it"
        ],
        [
            "let the agent look for it, by discover_cgroup in the table "
            "[plugins.workload_attestor.unix] of its configuration",
            REGISTER,
        ],
    ),
    "no entries at all": (
        reading(),
        [f"no entry has this agent as its parent, or reaches it through one that has: {AGENT}"],
        [REGISTER],
    ),
    "no entries at all, and gone": (
        reading(of=attempt(UNIX, has_ended=True)),
        [f"no entry has this agent as its parent, or reaches it through one that has: {AGENT}"],
        [f"finial entry create spiffe://example.org/NAME --parent {AGENT} --selector SELECTOR"],
    ),
    "a value that is nearly right": (
        reading(entitlement("web", "docker:label:app:web"), said=(UNIX, DOCKER)),
        [
            "the entry web for spiffe://example.org/web asks for docker:label:app:web, but "
            "docker:label app is 'webb', not 'web'; one is the beginning of the other"
        ],
        [
            "finial entry update web --selector docker:label:app:webb",
            "or start the process so that it has docker:label:app:web, if it is to be "
            "spiffe://example.org/web",
            REGISTER,
        ],
    ),
    "another user": (
        reading(entitlement("web", "unix:uid:1001", "unix:path:/usr/bin/web")),
        [
            "the entry web for spiffe://example.org/web asks for unix:uid:1001, but unix:uid is "
            "'1000', not '1001' (1 other selector of it met)"
        ],
        [
            "start the process so that it has unix:uid:1001, if it is to be "
            "spiffe://example.org/web",
            "finial entry update web --selector unix:path:/usr/bin/web --selector unix:uid:1000",
            REGISTER,
        ],
    ),
    "somebody else's entry": (
        reading(entitlement("db", "unix:path:/opt/postgres/bin/postgres")),
        [
            "the entry db for spiffe://example.org/db asks for "
            "unix:path:/opt/postgres/bin/postgres, but unix:path is '/usr/bin/web', not "
            "'/opt/postgres/bin/postgres'"
        ],
        [
            REGISTER,
            "or start the process so that it has unix:path:/opt/postgres/bin/postgres, if it is to "
            "be spiffe://example.org/db",
        ],
    ),
    "a secret that differs": (
        reading(entitlement("web", "docker:env:TOKEN=other", "unix:uid:1000"), said=(UNIX, DOCKER)),
        [
            "the entry web for spiffe://example.org/web asks for docker:env:TOKEN=(hidden), but "
            "the value of docker:env TOKEN is another one (1 other selector of it met)"
        ],
        [
            "start the process so that it has docker:env:TOKEN=(hidden), if it is to be "
            "spiffe://example.org/web",
            REGISTER,
        ],
    ),
    "a secret that is met": (
        reading(
            entitlement("web", "docker:env:TOKEN=s3cret", "unix:uid:1001"), said=(UNIX, DOCKER)
        ),
        [
            "the entry web for spiffe://example.org/web asks for unix:uid:1001, but unix:uid is "
            "'1000', not '1001' (1 other selector of it met)"
        ],
        [
            "start the process so that it has unix:uid:1001, if it is to be "
            "spiffe://example.org/web",
            REGISTER,
        ],
    ),
    "a selector that nothing has": (
        reading(entitlement("web", "unix:usr:none")),
        [
            "the entry web for spiffe://example.org/web asks for unix:usr:none, but there is no "
            "selector unix:usr; is unix:user meant?"
        ],
        [
            "finial entry update web --selector SELECTOR",
            REGISTER,
        ],
    ),
    "an attestor that does not run": (
        reading(entitlement("web", "docker:label:app:web", "k8s:ns:shop")),
        [
            "the entry web for spiffe://example.org/web asks for docker:label:app:web, but the "
            "attestor docker does not run on this agent; and k8s:ns:shop, but the attestor k8s "
            "does not run on this agent"
        ],
        [
            "let this agent run the attestor docker: put the table "
            "[plugins.workload_attestor.docker] into its configuration and start it again",
            "and let this agent run the attestor k8s: put the table "
            "[plugins.workload_attestor.k8s] into its configuration and start it again",
            REGISTER,
        ],
    ),
    "an attestor that failed": (
        reading(
            entitlement("web", "docker:label:app:web"),
            of=asked_in_vain("the workload cannot be attested: docker failed", UNIX, NO_ENGINE),
        ),
        [
            "the workload cannot be attested: docker failed",
            "the entry web for spiffe://example.org/web asks for docker:label:app:web, but the "
            "attestor docker failed: no engine answers at /run/docker.sock",
        ],
        ["finial doctor", REGISTER],
    ),
    "an attestor that does not apply": (
        reading(
            entitlement("web", "docker:label:app:web"),
            said=(UNIX, not_applicable("docker", "it runs in no container")),
        ),
        [
            "the entry web for spiffe://example.org/web asks for docker:label:app:web, but the "
            "attestor docker does not apply to this process: it runs in no container"
        ],
        [
            REGISTER,
            "or start the process so that it has docker:label:app:web, if it is to be "
            "spiffe://example.org/web",
        ],
    ),
    "nothing was found at all": (
        reading(WEB, said=(attested("unix"), not_applicable("docker", "no container"))),
        [
            "no attestor found a selector of this process (docker: no container)",
            "the entry web for spiffe://example.org/web asks for unix:uid:1000, but no unix:uid "
            "was found",
        ],
        [
            REGISTER,
            "or start the process so that it has unix:uid:1000, if it is to be "
            "spiffe://example.org/web",
        ],
    ),
    "an entry that came late": (
        reading(WEB),
        [
            "the entry web for spiffe://example.org/web matches by now: it came to this agent, or "
            "was changed, after the refusal 1 min ago"
        ],
        ["let it ask again: it would be served now"],
    ),
    "an entry that was lost": (
        reading(
            entitlement("web", "unix:uid:1001"),
            of=attempt(UNIX, served_until=NOW - 120, granted=("spiffe://example.org/web",)),
        ),
        [
            "it was served as spiffe://example.org/web until 2 min ago: since then that entry was "
            "deleted, changed or moved, or has expired",
            "the entry web for spiffe://example.org/web asks for unix:uid:1001, but unix:uid is "
            "'1000', not '1001'",
        ],
        [
            REGISTER,
            "or start the process so that it has unix:uid:1001, if it is to be "
            "spiffe://example.org/web",
        ],
    ),
    "only entries without selectors": (
        reading(entitlement("none").__class__(id="n", spiffe_id=WEB.spiffe_id, selectors=())),
        ["no entry of this agent has selectors"],
        [REGISTER],
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_causes_and_fixes_of(name: str) -> None:
    """Each step of an attestation says what went wrong in it, and what can be done about that."""
    judge_advice(*SITUATIONS[name])


def test_equally_near_entries_are_all_told() -> None:
    """At most three entries that are about as near are told of; the rest is in the list."""
    entries = [entitlement(f"e{n}", f"unix:uid:{1001 + n}") for n in range(5)]
    found = causes(reading(*entries))
    assert len(found) == 3
    far = entitlement("far", "docker:image_id:1", "k8s:ns:shop")
    assert len(causes(reading(entries[0], far))) == 1
