"""What holds of every explanation, whatever comes together."""

import shlex
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.attestation.explaining import amended, explain, for_itself, foresee
from agent.attestation.situation import ATTESTATION, SIGNING, STREAM, SYNCHRONISATION, Trouble
from agent.membership.standing import Phase
from finial.explain.evidence import ATTESTED, DENIED, FAILED, NOT_APPLICABLE, Said
from finial.explain.explanation import MAX_DOCUMENT, Outcome, decode_explanation
from finial.explain.hiding import Hiding
from finial.spiffe.selector import Selector
from tests.doubles.attempts import NO_ENTRY, attempt, situation
from tests.doubles.clock import NOW
from tests.doubles.entitlements import entitlement as entry_of
from tests.doubles.entitlements import workload_id
from tests.doubles.evidence import GRAMMARS

SECRET = "s3cr3t-value"
FORMS = ["uid", "label", "labels", "env", "evn", "pod-name", "pod_name", "path", "usr", "image_id"]
VALUES = [
    "1000",
    "web",
    "app:web",
    "app:webb",
    "APP:web",
    "/usr/bin/web",
    "",
    ":",
    "=",
    "ns=shop",
    "\x1b]0;\n",
]

types = st.sampled_from(["unix", "docker", "k8s", "dokcer", "stranger"])
plain = st.builds(
    lambda type_, form, value: Selector(type_, f"{form}:{value}"),
    types,
    st.sampled_from([form for form in FORMS if form not in ("env", "evn")]),
    st.sampled_from(VALUES),
)
secrets = st.builds(
    lambda type_, form, name: Selector(type_, f"{form}:{name}={SECRET}"),
    st.sampled_from(["docker", "stranger"]),
    st.sampled_from(["env"]),
    st.sampled_from(["TOKEN", "STAGE", ""]),
)
selectors = st.one_of(plain, plain, plain, secrets)
said = st.lists(
    st.builds(
        Said,
        types,
        st.sampled_from([ATTESTED, ATTESTED, ATTESTED, NOT_APPLICABLE, FAILED, DENIED]),
        st.lists(selectors, max_size=4, unique=True).map(tuple),
        st.lists(st.sampled_from(["no path: no rights", "it took too long"]), max_size=2).map(
            tuple
        ),
        detail=st.sampled_from(["", "it is away"]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda each: each.name,
).map(lambda many: tuple(_of_its_type(each) for each in many))
entries = st.lists(
    st.builds(
        lambda number, wanted, store, domains: entry_of(
            f"e{number}", "unix:uid:1", path=f"/e{number}", store_svid=store, federates=domains
        ).__class__(
            id=f"e{number}",
            spiffe_id=workload_id(f"/e{number}"),
            selectors=tuple(wanted),
            store_svid=store,
        ),
        st.integers(0, 5),
        st.lists(selectors, max_size=3, unique=True),
        st.booleans(),
        st.just([]),
    ),
    max_size=4,
    unique_by=lambda each: each.id,
)
troubles = st.dictionaries(
    st.sampled_from([ATTESTATION, SYNCHRONISATION, STREAM, SIGNING]),
    st.just(Trouble("connection refused", NOW - 5)),
    max_size=3,
)
states = st.fixed_dictionaries(
    {
        "synced": st.booleans(),
        "signed": st.booleans(),
        "connected": st.booleans(),
        "phase": st.sampled_from(Phase),
        "troubles": troubles,
        "unsigned": st.dictionaries(st.sampled_from(["e0", "e1"]), st.just("expired"), max_size=2),
        "clock_offset": st.sampled_from([None, 0.1, 500.0, -500.0]),
    }
)
attempts = st.fixed_dictionaries(
    {
        "reason": st.sampled_from(["", NO_ENTRY, "the SVID could not be signed in time"]),
        "asked_for": st.sampled_from(["", "spiffe://example.org/e0", "spiffe://example.org/x"]),
        "served_until": st.sampled_from([0.0, NOW - 100]),
        "has_ended": st.booleans(),
        "remedy": st.sampled_from(["", "wait"]),
    }
)


def _of_its_type(each: Said) -> Said:
    """An attestor gives selectors of its own type alone, and none where it says nothing."""
    if each.status != ATTESTED:
        return Said(each.name, each.status, remarks=each.remarks, detail=each.detail)
    own = tuple(dict.fromkeys(Selector(each.name, s.value) for s in each.selectors))
    return Said(each.name, each.status, own, each.remarks, detail=each.detail)


@settings(max_examples=400)
@given(said, entries, states, attempts)
def test_every_explanation(
    spoken: tuple[Said, ...], registered: list[Any], state: dict[str, Any], asking: dict[str, Any]
) -> None:
    """A refusal has a cause, nothing secret is told, and every command can be typed."""
    of, known = attempt(*spoken, **asking), situation(*registered, **state)
    told, foreseen = explain(of, known), foresee(attempt(*spoken, reason=""), known)
    own = for_itself(of, known, of)
    hiding = Hiding(GRAMMARS)
    secret = any(hiding.is_secret(s) for each in spoken for s in each.selectors)
    for each in (told, foreseen, own, amended(told, foreseen)):
        document = each.encoded()
        assert len(document) < MAX_DOCUMENT
        assert decode_explanation(document) == each
        assert SECRET.encode() not in document or not secret
    for each in (told, foreseen):
        if each.outcome in (Outcome.REFUSED, Outcome.WOULD_BE_REFUSED):
            assert each.causes
        assert all(each.causes)
        for fix in each.fixes:
            assert fix.what
            assert not fix.command or shlex.split(fix.command)[0] == "finial"
        matching = {entry.id for entry in each.matches}
        for near in each.nearest:
            assert near.id not in matching
            assert near.missing or near.state
            assert {missing.wanted for missing in near.missing} <= set(near.selectors)
            assert all(missing.why for missing in near.missing)
    assert own.nearest == ()
