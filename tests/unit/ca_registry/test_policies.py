"""Policies and modes in memory: what an agent needs for its callees."""

import json
from collections.abc import Iterable
from typing import Any

from ca.registry.policy.attribute_table import AttributeTable
from ca.registry.policy.policy_index import UNSET, PolicyIndex, above_of
from ca.registry.policy.stored import AuditLevel, CalleeMode, StoredPolicy
from finial.policy.decision import Mode
from finial.policy.document import PolicyText
from finial.policy.id_pattern import IdPattern
from finial.policy.statement import Form
from tests.doubles.entries import entry, sid

ORDERS, PAYMENT, OTHER = sid("/orders"), sid("/payment"), sid("/other")
BELOW = sid("/team-a/web")
EVERYBODY = "permit (principal, action, resource);"


def rule(name: str, to: Any = "spiffe://example.org/payment", **members: Any) -> StoredPolicy:
    text = json.dumps({"name": name, "from": "spiffe://example.org/orders", "to": to, **members})
    return StoredPolicy(id=f"id-{name}", name=name, form=Form.RULE, text=text)


def mode(
    callee: str, mode: Mode = Mode.ENFORCE, audit: AuditLevel = AuditLevel.DENIALS
) -> CalleeMode:
    return CalleeMode(callee=IdPattern.parse(callee), mode=mode, audit=audit)


def indexed(policies: list[StoredPolicy], *modes: CalleeMode) -> PolicyIndex:
    index = PolicyIndex()
    index.replace(policies, modes)
    return index


def names(policies: Iterable[PolicyText]) -> list[str]:
    return [each.name for each in policies]


def test_policies_are_found() -> None:
    """By id, by name, in the order of names; one that is switched off decides nothing."""
    off = StoredPolicy(id="off", name="off", form=Form.RULE, text="{}", enabled=False)
    index = indexed([rule("b"), off, rule("a")])
    assert len(index) == 3
    assert [each.name for each in index] == ["a", "b", "off"]
    assert index.get("off") is off
    assert index.named("off") is off
    assert names(index.deciding) == ["a", "b"]


def test_policies_are_listed_page_by_page() -> None:
    """Each page says which name it ended with; the last one says nothing."""
    index = indexed([rule(each) for each in "dbca"])
    first = index.page(3)
    assert ([each.name for each in first.items], first.next_token) == (["a", "b", "c"], "c")
    last = index.page(3, first.next_token)
    assert ([each.name for each in last.items], last.next_token) == (["d"], "")
    assert len(index.page(0).items) == 4


def test_mode_is_that_of_the_nearest() -> None:
    """A callee's own mode, or that of the longest prefix above it; without any it is open."""
    own = mode("spiffe://example.org/team-a/web", Mode.OPEN)
    near, far = mode("spiffe://example.org/team-a/*", Mode.SHADOW), mode("spiffe://example.org/*")
    assert indexed([], own, near, far).mode_of(BELOW) is own
    assert indexed([], near, far).mode_of(BELOW) is near
    assert indexed([], far).mode_of(BELOW) is far
    assert indexed([], near).mode_of(OTHER) is UNSET
    assert UNSET.mode is Mode.OPEN
    index = indexed([], near, far)
    assert index.mode(near.callee) is near
    assert index.modes == (far, near)


def test_what_holds_below_a_prefix_is_not_what_holds_for_its_root() -> None:
    """`team-a` is not below `team-a/*`: neither its mode nor its policies say anything of those."""
    team, above = IdPattern.parse("spiffe://example.org/team-a/*"), mode("spiffe://example.org/*")
    root, below = mode("spiffe://example.org/team-a"), mode("spiffe://example.org/team-a/*")
    assert indexed([], root).mode_for(team) is UNSET
    assert indexed([], root, above).mode_for(team) is above
    assert indexed([], root, above, below).mode_for(team) is below
    assert indexed([], root, above).mode_for(root.callee) is root
    policies = [rule("root", to="spiffe://example.org/team-a"), rule("web", to=str(BELOW))]
    index = indexed([*policies, rule("every", to="spiffe://example.org/*")])
    assert index.count_about(team) == 2
    assert index.count_about(root.callee) == 2
    assert index.count_about(above.callee) == 3
    everybody = StoredPolicy(id="x", name="everybody", form=Form.CEDAR, text=EVERYBODY)
    assert indexed([everybody]).count_about(team) == 1


def test_an_agent_is_told_the_rules_of_its_callees() -> None:
    """Exact ones, those of a prefix above, those about anybody; no others, and none while open."""
    everybody = StoredPolicy(id="x", name="everybody", form=Form.CEDAR, text=EVERYBODY)
    policies = [
        rule("payment"),
        rule("team", to="spiffe://example.org/team-a/*"),
        rule("both", to=["spiffe://example.org/payment", "spiffe://example.org/other"]),
        everybody,
    ]
    index = indexed(policies, mode("spiffe://example.org/*", audit=AuditLevel.ALL))
    told = index.document([PAYMENT], {})
    assert names(told.policies) == ["both", "everybody", "payment"]
    assert told.callees == {str(PAYMENT): Mode.ENFORCE}
    assert told.audit_all == (str(PAYMENT),)
    assert names(index.document([BELOW], {}).policies) == ["everybody", "team"]
    assert names(index.about(OTHER)) == ["both", "everybody"]
    assert names(index.document([], {}).policies) == []
    quiet = indexed(policies).document([PAYMENT], {})
    assert (quiet.policies, quiet.callees, quiet.audit_all) == (
        (),
        {str(PAYMENT): Mode.OPEN},
        (),
    )


def test_attributes_come_along_that_rules_ask_for() -> None:
    """Only names that a rule asks for, only callers that it may be about, and the callees."""
    asking = rule("admins", **{"when": {"caller": {"role": "admin"}}})
    index = indexed([asking, rule("plain")], mode("spiffe://example.org/*"))
    assert index.attributes == {"role"}
    has = {each: {"role": ["admin"]} for each in (ORDERS, PAYMENT, OTHER)}
    assert set(index.document([PAYMENT], has).attributes) == {str(ORDERS), str(PAYMENT)}
    assert indexed([rule("plain")]).attributes == frozenset()


def test_unreadable_policy_is_told_all_the_same() -> None:
    """An agent that cannot read a rule denies, which is better than deciding without it."""
    bad = StoredPolicy(id="z", name="bad", form=Form.CEDAR, text="permit everything")
    index = indexed([bad], mode("spiffe://example.org/*"))
    assert names(index.document([PAYMENT], {}).policies) == ["bad"]


def test_policy_changes_by_revisions() -> None:
    """The same again is no change; another text is the next revision."""
    before = rule("a")
    after = before.changed(rule("b").told, enabled=False, now=7, who="local uid 0")
    assert before.says(before.told, enabled=True)
    assert not before.says(before.told, enabled=False)
    members = json.dumps(dict(reversed(json.loads(before.text).items())))
    assert before.says(PolicyText("a", Form.RULE, members), enabled=True)
    assert not before.says(PolicyText("a", Form.CEDAR, before.text), enabled=True)
    assert before.replaced_by(rule("a")) is before
    assert before.replaced_by(rule("a", methods=["GET"])).revision == 1
    assert (after.id, after.name, after.revision) == ("id-a", "b", 1)
    assert (after.enabled, after.changed_at, after.changed_by) == (False, 7, "local uid 0")


def test_ids_above_an_id() -> None:
    """Down to the trust domain itself, the nearest first."""
    assert [each.path for each in above_of(sid("/a/b/c"))] == ["/a/b", "/a", ""]
    assert list(above_of(sid(""))) == []


def test_attributes_are_gathered_until_entries_change() -> None:
    """An identity has what any of its entries gives it; nothing is gathered that nobody asks."""
    entries = [
        entry("e1", spiffe_id=ORDERS, attributes=(("role", "admin"), ("team", "a"))),
        entry("e2", spiffe_id=ORDERS, attributes=(("role", "user"),)),
        entry("e3", spiffe_id=OTHER),
    ]
    table = AttributeTable()
    role = frozenset({"role"})
    assert table.of(entries, frozenset()) == {}
    assert table.of(entries, role) == {ORDERS: {"role": ["admin", "user"]}}
    assert table.of([], role) == {ORDERS: {"role": ["admin", "user"]}}
    table.forget()
    assert table.of([], role) == {}
    for number in range(70):
        table.of(entries, frozenset({f"name{number}"}))
    assert table.of(entries, role) == {ORDERS: {"role": ["admin", "user"]}}
