"""The document that explains an attempt, and what a workload sees of it."""

from agent.attestation.explaining import (
    MOST_ENTRIES,
    amended,
    explain,
    for_itself,
    foresee,
    summary,
)
from finial.explain.explanation import Outcome, ProcessReport, decode_explanation
from tests.doubles.attempts import AGENT, UNIX, attempt, situation
from tests.doubles.clock import NOW
from tests.doubles.entitlements import entitlement
from tests.doubles.evidence import attested, failed

DOCKER = attested("docker", "label:app:webb", "env:TOKEN=s3cret", remarks=("no image",))
WEB = entitlement("web", "docker:label:app:web")


def test_a_refusal_is_explained_whole() -> None:
    """Process, reason, id, findings, nearest entries, causes and fixes travel in one document."""
    told = explain(attempt(UNIX, DOCKER, refusal="abc", count=3), situation(WEB))
    assert decode_explanation(told.encoded()) == told
    assert (told.outcome, told.reason[:18], told.refusal) == (
        Outcome.REFUSED,
        "no identity issued",
        "abc",
    )
    assert told.process == ProcessReport(pid=7, uid=1000, gid=100, exe="/usr/bin/web")
    assert (told.agent_id, told.count, told.first_at) == (AGENT, 3, NOW - 60)
    assert [each.name for each in told.attestors] == ["unix", "docker"]
    assert told.attestors[1].selectors == ("docker:env:TOKEN=(hidden)", "docker:label:app:webb")
    assert "s3cret" not in told.encoded().decode()
    [near] = told.nearest
    assert near.missing[0].closest == "docker:label:app:webb"
    assert told.causes
    assert told.fixes


def test_one_that_was_served_is_explained_too() -> None:
    """Its entries are listed, nothing is wrong, and the nearest others are there."""
    match = entitlement("mine", "unix:uid:1000")
    told = explain(attempt(UNIX, reason=""), situation(match, WEB))
    assert (told.outcome, told.causes, told.fixes) == (Outcome.SERVED, (), ())
    assert [(each.id, each.state) for each in told.matches] == [("mine", "")]
    assert [each.id for each in told.nearest] == ["web"]


def test_what_would_be_is_told_without_a_reason() -> None:
    """A process that has not asked would be served, or refused, by what is known now."""
    match = entitlement("mine", "unix:uid:1000")
    asking = attempt(UNIX, reason="")
    assert foresee(asking, situation(match)).outcome is Outcome.WOULD_BE_SERVED
    unsigned = foresee(asking, situation(match, signed=False))
    assert unsigned.outcome is Outcome.WOULD_BE_SERVED
    assert unsigned.matches[0].state == (
        "its X.509-SVID is signed as soon as a workload asks for it"
    )
    assert foresee(asking, situation(WEB)).outcome is Outcome.WOULD_BE_REFUSED
    assert foresee(asking, situation(match, synced=False)).outcome is Outcome.WOULD_BE_REFUSED
    denied = attempt(UNIX, reason="unix denies it")
    assert foresee(denied, situation(match)).outcome is Outcome.WOULD_BE_REFUSED


def test_an_entry_for_stores_is_near_and_says_so() -> None:
    """An entry whose selectors are all there is no match if workloads may not have it."""
    told = explain(attempt(UNIX), situation(entitlement("s", "unix:uid:1000", store_svid=True)))
    assert told.matches == ()
    assert told.nearest[0].state.startswith("its SVID is for stores only")


def test_a_list_has_the_reason_and_the_id() -> None:
    """A line of the list costs no comparison."""
    told = summary(attempt(UNIX, refusal="abc"), AGENT)
    assert (told.refusal, told.nearest, told.attestors) == ("abc", (), ())


def test_a_workload_sees_itself_alone() -> None:
    """Own selectors, own identities, reason and id; no entry of others, nothing of the node."""
    near = entitlement("other", "unix:uid:1001")
    match = entitlement("mine", "unix:uid:1000")
    engine = failed("docker", "/run/docker.sock does not answer")
    state = situation(match, near, signed=False)
    asking = attempt(UNIX, engine, reason="")
    own = for_itself(asking, state, attempt(UNIX, refusal="abc"))
    text = own.encoded().decode()
    assert "other" not in text
    assert "docker.sock" not in text
    assert [each.status for each in own.attestors] == ["attested", "failed"]
    assert [(each.id, each.state) for each in own.matches] == [("mine", "")]
    assert (own.refusal, own.reason[:18]) == ("abc", "no identity issued")
    for last in (None, attempt(UNIX, reason="")):
        assert for_itself(asking, state, last).reason == ""
    assert (own.nearest, own.causes, own.fixes) == ((), (), ())
    assert foresee(asking, state).causes == (
        "the attestor docker failed: /run/docker.sock does not answer",
    )


def test_an_old_refusal_is_told_beside_the_present() -> None:
    """What changed since is added; a process that was never looked at is looked at now."""
    match = entitlement("mine", "unix:uid:1000")
    near = entitlement("mine", "unix:uid:1001")
    served = foresee(attempt(UNIX, reason=""), situation(match))
    refused = foresee(attempt(UNIX, reason=""), situation(near))
    known = explain(attempt(UNIX), situation(near))
    assert amended(known, refused) is known
    assert amended(known, served).causes[0] == "if it asked again now, it would be served"
    came = explain(attempt(UNIX), situation(match))
    assert amended(came, served) is came
    early = explain(attempt(reason="not synced yet"), situation(match))
    assert amended(early, served).causes == (
        "not synced yet",
        "if it asked again now, it would be served",
    )
    late = amended(early, refused)
    assert late.causes == ("not synced yet", *refused.causes)
    assert (late.attestors, late.nearest, late.fixes) == (
        refused.attestors,
        refused.nearest,
        refused.fixes,
    )


def test_very_many_selectors_are_cut_short() -> None:
    """A process with thousands of labels does not make a document that nobody can send."""
    many = attested("docker", *(f"label:k{n}:v" for n in range(1000)))
    [report] = explain(attempt(many), situation()).attestors
    assert len(report.selectors) == 256
    assert report.remarks == ("744 more selectors are not shown",)


def test_of_very_many_entries_that_match_the_first_are_told() -> None:
    """A process that matches more entries than anybody reads is told some, and that there are more."""
    entries = [entitlement(f"e{number}", "unix:uid:1000") for number in range(MOST_ENTRIES + 1)]
    known = situation(*entries)
    for told in (explain(attempt(UNIX, reason=""), known), for_itself(attempt(UNIX), known, None)):
        assert len(told.matches) == MOST_ENTRIES
        assert told.shortened
    assert not explain(attempt(UNIX), situation(*entries[1:])).shortened
