"""What is advised about the entry that comes nearest, and in which order."""

import pytest

from agent.attestation.fixes import fixes
from agent.attestation.reading import Reading
from tests.doubles.attempts import UNIX, reading
from tests.doubles.entitlements import entitlement
from tests.doubles.evidence import attested

ID = "spiffe://example.org/web"
MISTYPED = (UNIX, attested("docker", "label:app:webb"))


def advised(read: Reading) -> list[str]:
    """Everything but how to register another entry, which is always possible."""
    found = [(each.what, each.command) for each in fixes(read)]
    return [command or what for what, command in found if "register an entry" not in what]


def test_who_chose_a_name_is_not_given_the_entry() -> None:
    """A unit of a user with the name of the system's gets no command that admits the user's."""
    remark = "user 1000 named web.service: it is docker:label, no docker:image_id"
    said = (UNIX, attested("docker", "image_id:user@1000.service", remarks=(remark,)))
    read = reading(entitlement("web", "docker:image_id:web.service", "unix:uid:1000"), said=said)
    assert advised(read) == [
        f"see to what keeps docker:image_id:web.service from being found: {remark}"
    ]


def test_another_value_is_the_process_s_own_until_somebody_says_otherwise() -> None:
    """Only what is spelled alike is first changed in the entry; another program is started anew."""
    mistyped = reading(entitlement("web", "docker:label:app:web"), said=MISTYPED)
    assert advised(mistyped)[0].startswith("finial entry update web")
    intruder = reading(entitlement("web", "unix:uid:1000", "unix:path:/opt/payments/bin/server"))
    assert advised(intruder) == [
        f"start the process so that it has unix:path:/opt/payments/bin/server, if it is to be {ID}",
        "finial entry update web --selector unix:path:/usr/bin/web --selector unix:uid:1000",
    ]


def test_an_entry_in_use_is_not_taken_from_its_users_unawares() -> None:
    """Where somebody has the identity now, changing the entry comes last and says what it costs."""
    read = reading(entitlement("web", "docker:label:app:web"), said=MISTYPED, subscribed=("web",))
    told = [each.what for each in fixes(read)]
    assert told[0].startswith("start the process")
    assert told[1] == (
        f"or if it is to be {ID}, let the entry ask for what it has, which takes it from those "
        "who have it now"
    )


def test_what_is_needed_together_is_told_together() -> None:
    """Steps of which all are needed are joined by `and`; `or` stands between alternatives alone."""
    read = reading(entitlement("web", "docker:label:app:web", "unix:uid:1001"))
    assert [each.what.split()[0] for each in fixes(read)] == ["let", "and", "or"]


@pytest.mark.parametrize(
    ("other", "command"),
    [
        ("unix:uid:1000", "--selector unix:uid:1000 --selector SELECTOR"),
        ("docker:env:TOKEN=s3cret", ""),
    ],
)
def test_a_correction_keeps_what_else_an_entry_asks_for(other: str, command: str) -> None:
    """Since a change takes the place of all selectors, those that are right are written again."""
    said = (UNIX, attested("docker", "env:TOKEN=s3cret"))
    [first, *_] = fixes(reading(entitlement("web", "unix:usr:none", other), said=said))
    assert first.what == f"correct the entry for {ID}: no process has unix:usr:none"
    assert first.command == (f"finial entry update web {command}" if command else "")


def test_a_correction_alone_is_not_enough_where_more_is_missing() -> None:
    """Besides the selector that no process has, the process has to be another one."""
    read = reading(entitlement("web", "unix:usr:none", "unix:uid:1001"))
    assert [each.what.split()[:2] for each in fixes(read)][:2] == [
        ["correct", "the"],
        ["and", "start"],
    ]


def test_nobody_is_first_told_to_run_as_root() -> None:
    """An entry of which nothing is met and nothing alike was found is more likely another's."""
    told = [each.what for each in fixes(reading(entitlement("admin", "unix:uid:0")))]
    assert told[0].startswith("register an entry for it")
    assert told[1].startswith("or start the process so that it has unix:uid:0, if it is to be")
