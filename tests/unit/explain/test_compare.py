"""What keeps a selector from a process, said so that its cause can be seen."""

import pytest

from finial.explain.compare import Cause, gap, gaps
from finial.explain.evidence import ATTESTED, Evidence, Said
from finial.spiffe.selector import Selector
from tests.doubles.evidence import attested, evidence, failed, not_applicable

UNIX = attested("unix", "uid:1001", "user:web", "gid:1000", "path:/usr/bin/python3.11")
DOCKER = attested(
    "docker", "label:app:webb", "label:tier:front", "image_label:team:shop", "env:TOKEN=s3cret"
)
MANY = attested("docker", *(f"label:key{n}:v" for n in range(9)))
GROUPS = attested("unix", "supplementary_gid:10", "supplementary_gid:2001")


@pytest.mark.parametrize(
    ("wanted", "said", "cause", "closest", "why"),
    [
        (
            "docker:label:app:web",
            [DOCKER],
            Cause.ANOTHER_VALUE,
            "docker:label:app:webb",
            "docker:label app is 'webb', not 'web'; one is the beginning of the other",
        ),
        (
            "docker:label:app:WEBB",
            [DOCKER],
            Cause.ANOTHER_VALUE,
            "docker:label:app:webb",
            "docker:label app is 'webb', not 'WEBB'; only upper and lower case differ",
        ),
        (
            "docker:label:app:'webb'",
            [DOCKER],
            Cause.ANOTHER_VALUE,
            "docker:label:app:webb",
            "docker:label app is 'webb', not \"'webb'\"; only spaces or quotes around it differ",
        ),
        (
            "unix:uid:1002",
            [UNIX],
            Cause.ANOTHER_VALUE,
            "unix:uid:1001",
            "unix:uid is '1001', not '1002'",
        ),
        (
            "unix:uid:1000",
            [UNIX],
            Cause.ANOTHER_VALUE,
            "unix:uid:1001",
            "unix:uid is '1001', not '1000'; the same was found as unix:gid",
        ),
        (
            "unix:gid:2001",
            [attested("unix", "gid:1000", "supplementary_gid:2001")],
            Cause.ANOTHER_NAME,
            "unix:supplementary_gid:2001",
            "it is no unix:gid: the same was found as unix:supplementary_gid, which relies on the "
            "supplementary_gid's owner",
        ),
        (
            "unix:supplementary_gid:1000",
            [attested("unix", "gid:1000", "supplementary_gid:2001")],
            Cause.ANOTHER_NAME,
            "unix:gid:1000",
            "it is no unix:supplementary_gid: the same was found as unix:gid, which relies on the "
            "gid's owner",
        ),
        (
            "unix:uid:7",
            [attested("unix", "uid:1000", remarks=("7: in a user namespace, no unix:uid",))],
            Cause.REMARKED,
            "unix:uid:1000",
            "unix:uid is '1000', not '7'; 7: in a user namespace, no unix:uid",
        ),
        (
            "unix:uid:",
            [attested("unix", "uid:1000", remarks=("no unix:uid of others",))],
            Cause.IMPOSSIBLE,
            "unix:uid:1000",
            "no process has this ever: unix:uid is written like unix:uid:1000",
        ),
        (
            "unix:supplementary_gid:2000",
            [GROUPS],
            Cause.ANOTHER_VALUE,
            "unix:supplementary_gid:2001",
            "2 selectors unix:supplementary_gid were found, and this is none of them",
        ),
        (
            "unix:supplementary_gid:345",
            [GROUPS],
            Cause.ANOTHER_VALUE,
            "",
            "2 selectors unix:supplementary_gid were found, and this is none of them",
        ),
        (
            "unix:uid:web",
            [UNIX],
            Cause.ANOTHER_NAME,
            "unix:user:web",
            "it is no unix:uid: the same was found as unix:user, which relies on the user's owner",
        ),
        (
            "unix:uid:nobody",
            [UNIX],
            Cause.IMPOSSIBLE,
            "unix:uid:1001",
            "no process has this ever: unix:uid is written like unix:uid:1000",
        ),
        (
            "docker:label:app=webb",
            [DOCKER],
            Cause.IMPOSSIBLE,
            "docker:label:app:webb",
            "no process has this ever: docker:label is written like docker:label:app:web, here "
            "docker:label:app:webb",
        ),
        (
            "docker:env=TOKEN=s3cret",
            [DOCKER],
            Cause.IMPOSSIBLE,
            "docker:env:TOKEN=(hidden)",
            "no process has this ever: docker:env is written like docker:env:STAGE=test",
        ),
        (
            "docker:env:TOKEN:s3cret",
            [DOCKER],
            Cause.IMPOSSIBLE,
            "docker:env:TOKEN=(hidden)",
            "no process has this ever: docker:env is written like docker:env:STAGE=test",
        ),
        (
            "docker:label:team:shop",
            [DOCKER],
            Cause.ANOTHER_NAME,
            "docker:image_label:team:shop",
            "it is no docker:label: the same was found as docker:image_label, which relies on the "
            "image_label's owner",
        ),
        (
            "docker:label:aap:webb",
            [DOCKER],
            Cause.ANOTHER_KEY,
            "docker:label:app:webb",
            "docker:label has no 'aap' here, but 'app'",
        ),
        (
            "docker:label:owner:me",
            [DOCKER],
            Cause.NOTHING_LIKE_IT,
            "",
            "docker:label has no 'owner' here; there are app, tier",
        ),
        (
            "docker:label:owner:me",
            [MANY],
            Cause.NOTHING_LIKE_IT,
            "",
            "docker:label has no 'owner' here; there are key0, key1, key2, key3, key4, key5 and "
            "others",
        ),
        (
            "docker:env:TOKEN=other",
            [DOCKER],
            Cause.ANOTHER_VALUE,
            "docker:env:TOKEN=(hidden)",
            "the value of docker:env TOKEN is another one",
        ),
        (
            "docker:env:TOKEN=other",
            [attested("docker", "env:TOKEN=(hidden)")],
            Cause.HIDDEN,
            "docker:env:TOKEN=(hidden)",
            "the value of docker:env TOKEN is never shown, so that it can only be compared on the "
            "node",
        ),
        (
            "docker:env:STAGE=x",
            [DOCKER],
            Cause.NOTHING_LIKE_IT,
            "",
            "docker:env has no 'STAGE' here; there are TOKEN, as far as the attestor's setting env "
            "asks for them",
        ),
        (
            "docker:image_id:sha256:11",
            [DOCKER],
            Cause.NOTHING_LIKE_IT,
            "",
            "no docker:image_id was found",
        ),
        (
            "docker:image_id:11",
            [attested("docker", "image_id:sha256:11")],
            Cause.ANOTHER_VALUE,
            "docker:image_id:sha256:11",
            "what was found as docker:image_id is something else",
        ),
        (
            "docker:lable:app:webb",
            [DOCKER],
            Cause.UNKNOWN_FORM,
            "docker:label:app:webb",
            "there is no selector docker:lable; is docker:label meant?",
        ),
        (
            "docker:lable:app:web",
            [DOCKER],
            Cause.UNKNOWN_FORM,
            "docker:label:app:webb",
            "there is no selector docker:lable; is docker:label meant?",
        ),
        (
            "docker:compose:team:shop",
            [DOCKER],
            Cause.UNKNOWN_FORM,
            "docker:image_label:team:shop",
            "there is no selector docker:compose; there are env, image_id, image_label, label",
        ),
        (
            "docker:compose:x",
            [DOCKER],
            Cause.UNKNOWN_FORM,
            "",
            "there is no selector docker:compose; there are env, image_id, image_label, label",
        ),
        (
            "unix:path:/usr/bin/web",
            [attested("unix", "uid:1", remarks=("the path is unknown: no rights", "a user"))],
            Cause.REMARKED,
            "",
            "no unix:path was found: the path is unknown: no rights",
        ),
        (
            "unix:path:/usr/bin/web",
            [attested("unix", "uid:1", remarks=("the program cannot be looked at",))],
            Cause.REMARKED,
            "",
            "no unix:path was found: the program cannot be looked at",
        ),
        (
            "unix:cgroup:/system.slice/web.service",
            [attested("unix", "uid:1", remarks=("the path is unknown",))],
            Cause.SETTING,
            "",
            "no unix:cgroup was found: it is given where the attestor's setting discover_cgroup "
            "asks for it",
        ),
        (
            "unix:cgroup:/system.slice/web.service",
            [attested("unix", "uid:1", remarks=("no unix:cgroup: it is in the root group",))],
            Cause.REMARKED,
            "",
            "no unix:cgroup was found: it is in the root group",
        ),
        (
            "docker:label:app:web",
            [failed("docker", "no engine answers at /run/docker.sock")],
            Cause.FAILED,
            "",
            "the attestor docker failed: no engine answers at /run/docker.sock",
        ),
        (
            "docker:label:app:web",
            [not_applicable("docker", "it runs in no container")],
            Cause.NOT_APPLICABLE,
            "",
            "the attestor docker does not apply to this process: it runs in no container",
        ),
        (
            "k8s:ns:shop",
            [UNIX],
            Cause.NOT_RUNNING,
            "",
            "the attestor k8s does not run on this agent",
        ),
        (
            "k8s:pod_name:web",
            [UNIX],
            Cause.UNKNOWN_FORM,
            "",
            "there is no selector k8s:pod_name; is k8s:pod-name meant?",
        ),
        (
            "unxi:uid:1001",
            [UNIX],
            Cause.UNKNOWN_TYPE,
            "unix:uid:1001",
            "there is no attestor unxi here; is unix meant?",
        ),
        (
            "unxi:uid:1",
            [UNIX],
            Cause.UNKNOWN_TYPE,
            "",
            "there is no attestor unxi here; is unix meant?",
        ),
        (
            "aws:tag:web",
            [UNIX],
            Cause.UNKNOWN_TYPE,
            "",
            "no attestor of this agent is named aws",
        ),
    ],
)
def test_a_gap_says_what_came_nearest(
    wanted: str, said: list[Said], cause: Cause, closest: str, why: str
) -> None:
    """For each missing selector: why, by what each attestor said, and the nearest one found."""
    known = evidence(*said)
    found = gap(Selector.parse(wanted), known)
    assert (found.cause, found.why) == (cause, why)
    assert found.report(known.hiding).closest == closest
    assert 0 < found.distance <= cause.value


def test_only_what_is_missing_is_compared() -> None:
    """A selector that was found is no gap."""
    wanted = [Selector.parse(each) for each in ("unix:uid:1001", "unix:uid:7")]
    [missing] = gaps(wanted, evidence(UNIX))
    assert str(missing.wanted) == "unix:uid:7"


def test_a_secret_is_not_told_by_what_is_like_it() -> None:
    """Neither a wanted nor a found secret is compared under other names."""
    wanted = gap(Selector.parse("docker:env:team=shop"), evidence(DOCKER))
    assert wanted.closest is None
    found = gap(Selector.parse("docker:label:TOKEN:s3cret"), evidence(DOCKER))
    assert found.closest is None


def test_a_stranger_without_grammar_is_compared_too() -> None:
    """An attestor whose grammar is empty, or has no pattern, gets the same comparison."""
    known = Evidence([Said("mine", ATTESTED, (Selector("mine", "colour:red"),))], {"mine": ()})
    found = gap(Selector.parse("mine:colour:read"), known)
    assert (found.cause, str(found.closest)) == (Cause.ANOTHER_VALUE, "mine:colour:red")
    unnamed = gap(Selector.parse("mine:form:red"), known)
    assert unnamed.why == "it is no mine:form: the same was found as mine:colour"
