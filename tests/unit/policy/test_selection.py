"""Which policies an agent gets."""

import json

from hypothesis import given
from hypothesis import strategies as st

from finial.policy.decision import Mode
from finial.policy.document import PolicyText, Reader, read_policy
from finial.policy.request import Request
from finial.policy.selection import Selection
from finial.policy.statement import Form
from finial.spiffe.identity import SpiffeId


def spiffe(path: str) -> SpiffeId:
    return SpiffeId.parse(f"spiffe://example.org{path}")


def rule(name: str, caller: str, callee: str, **members: object) -> PolicyText:
    ids = {"from": str(spiffe("")) + caller, "to": str(spiffe("")) + callee}
    return PolicyText(name, Form.RULE, json.dumps({"name": name, **ids, **members}))


def selection(*policies: PolicyText) -> Selection:
    return Selection([(each, read_policy(each)) for each in policies])


A, B, C = map(spiffe, ("/a", "/b", "/team/c"))
OTHER = rule("other", "/a", "/z")
EXACT = rule("exact", "/a", "/b", when={"caller": {"role": "x"}})
TEAM = rule("team", "/team/*", "/team/*", when={"callee": {"zone": "1"}})
CEDAR = PolicyText("all", Form.CEDAR, "forbid(principal, action, resource) when { false };")
BOTH = PolicyText(
    "both",
    Form.CEDAR,
    'permit(principal, action, resource == Workload::"spiffe://example.org/b");'
    'permit(principal, action, resource == Workload::"spiffe://example.org/z");',
)
ALL = (OTHER, EXACT, TEAM, CEDAR, BOTH)
IDENTITIES = {
    A: {"role": ["y", "x"], "zone": ["1"], "secret": ["s"]},
    B: {"role": ["b"]},
    C: {"zone": ["2"], "secret": ["s"]},
    spiffe("/q"): {"role": ["x"], "zone": ["1"]},
}


def test_an_agent_gets_what_is_about_its_callees() -> None:
    """Policies about other callees stay at the server; the order is kept."""
    found = selection(*ALL).document(3, {B: Mode.ENFORCE}, IDENTITIES)
    assert found.version == 3
    assert found.callees == {str(B): Mode.ENFORCE}
    assert [each.name for each in found.policies] == ["exact", "all", "both"]
    assert [each.name for each in selection(*ALL).document(1, {}, IDENTITIES).policies] == []


def test_an_agent_gets_the_attributes_that_are_asked_for() -> None:
    """Names that no selected policy asks for, and identities it is not about, are not told."""
    found = selection(*ALL).document(1, {B: Mode.OPEN}, IDENTITIES)
    assert found.attributes == {str(A): {"role": ["x", "y"]}, str(B): {"role": ["b"]}}
    found = selection(*ALL).document(1, {C: Mode.OPEN}, IDENTITIES)
    assert found.attributes == {str(C): {"zone": ["2"]}}
    assert selection(OTHER).document(1, {spiffe("/z"): Mode.OPEN}, IDENTITIES).attributes == {}


some_rule = st.tuples(
    st.sampled_from(["/a", "/b", "/team/*", "/*"]),
    st.sampled_from(["/a", "/b", "/team/*", "/*"]),
    st.dictionaries(
        st.sampled_from(["caller", "callee"]),
        st.dictionaries(st.sampled_from(["role", "zone"]), st.sampled_from(["x", "1"]), min_size=1),
    ),
)


@given(st.lists(some_rule, max_size=6), st.sampled_from([A, B, C]), st.sampled_from([A, B, C]))
def test_a_node_decides_as_if_it_had_everything(
    rules: list[tuple[str, str, dict[str, object]]], caller: SpiffeId, callee: SpiffeId
) -> None:
    """What is left out changes no decision about the callees of a node."""
    policies = [rule(f"{n}", one, other, when=when) for n, (one, other, when) in enumerate(rules)]
    request = Request.read(caller, callee, "GET", "/")
    alone = selection(*policies).document(1, {callee: Mode.ENFORCE}, IDENTITIES)
    everything = selection(*policies).document(1, dict.fromkeys((A, B, C), Mode.OPEN), IDENTITIES)
    one = Reader().policy_set(alone).judge(request)
    assert one == Reader().policy_set(everything).judge(request)
