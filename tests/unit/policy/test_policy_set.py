"""Decisions."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finial.policy.cedar.engine import ask, context, entities, parse, question
from finial.policy.cedar.form import read_cedar
from finial.policy.decision import Decision, Mode, Ruling
from finial.policy.grounds import Ground
from finial.policy.policy_set import PolicySet
from finial.policy.request import Request
from finial.policy.rule import Effect, Rule, read_rule
from finial.policy.statement import Statement
from finial.spiffe.identity import SpiffeId

Has = Mapping[str, Sequence[str]]


def spiffe(path: str) -> SpiffeId:
    return SpiffeId.parse(f"spiffe://example.org{path}")


ORDERS, PAYMENT, BATCH = spiffe("/orders"), spiffe("/payment"), spiffe("/team-a/batch")


def rule(name: str, caller: str, callee: str, **members: object) -> Rule:
    document = {
        "name": name,
        "from": f"spiffe://example.org{caller}",
        "to": f"spiffe://example.org{callee}",
        **members,
    }
    return read_rule(json.dumps(document).encode())


def policy_set(
    *rules: Rule, cedar: str = "", identities: Mapping[SpiffeId, Has] | None = None
) -> PolicySet:
    statements = [Statement.of(each) for each in rules]
    if cedar:
        statements.extend(read_cedar("cedar", cedar))
    return PolicySet(1, statements, {PAYMENT: Mode.ENFORCE}, identities or {})


CHARGE = rule("charge", "/orders", "/payment", methods=["POST"], paths=["/transaction/*"])


def call(
    caller: SpiffeId | None = ORDERS,
    method: str = "POST",
    path: str = "/transaction/1",
    callee: SpiffeId = PAYMENT,
) -> Request:
    return Request.read(caller, callee, method, path)


@pytest.mark.parametrize(
    ("request_", "ruling"),
    [
        (call(), Ruling(True, Ground.ALLOWED, ("charge",))),
        (call(path="/transaction/1?x=/admin"), Ruling(True, Ground.ALLOWED, ("charge",))),
        (call(path="/%74ransaction/%31"), Ruling(True, Ground.ALLOWED, ("charge",))),
        (call(path="/transaction//1"), Ruling(True, Ground.ALLOWED, ("charge",))),
        (call(path="/transaction/./1"), Ruling(True, Ground.ALLOWED, ("charge",))),
        (call(path="/transaction/1;v=2"), Ruling(True, Ground.ALLOWED, ("charge",))),
        (call(path="/transaction"), Ruling(False, Ground.NO_RULE)),
        (call(path="/transaction/../admin"), Ruling(False, Ground.NO_RULE)),
        (call(path="/admin/../transaction/1"), Ruling(False, Ground.NO_RULE)),
        (call(path="//transaction/1"), Ruling(False, Ground.NO_RULE)),
        (call(path="/admin;/../transaction/1"), Ruling(False, Ground.PATH_AMBIGUOUS)),
        (call(path="/transaction/..%2fadmin"), Ruling(False, Ground.PATH_AMBIGUOUS)),
        (call(path="/transaction/%"), Ruling(False, Ground.PATH_ENCODING)),
        (call(path="/transaction/\u00e9"), Ruling(False, Ground.PATH_CHARACTERS)),
        (call(path="*"), Ruling(False, Ground.PATH_NOT_ABSOLUTE)),
        (call(path="/" + "a" * 9000), Ruling(False, Ground.PATH_TOO_LONG)),
        (call(method="GET"), Ruling(False, Ground.NO_RULE)),
        (call(method="post"), Ruling(False, Ground.METHOD_MALFORMED)),
        (call(method=""), Ruling(False, Ground.METHOD_MALFORMED)),
        (call(method="PO ST"), Ruling(False, Ground.METHOD_MALFORMED)),
        (call(method="P" * 1_000_000), Ruling(False, Ground.METHOD_MALFORMED)),
        (call(caller=BATCH), Ruling(False, Ground.NO_RULE)),
        (call(caller=None), Ruling(False, Ground.NO_IDENTITY)),
        (call(callee=ORDERS), Ruling(False, Ground.NO_RULE)),
        (call(SpiffeId.parse("spiffe://example.com/orders")), Ruling(False, Ground.NO_RULE)),
        (Request(ORDERS, PAYMENT, "POST", ()), Ruling(False, Ground.PATH_AMBIGUOUS)),
        (Request(None, PAYMENT, "POST", ("/transaction/1",)), Ruling(False, Ground.NO_IDENTITY)),
    ],
    ids=range(27),
)
def test_what_no_rule_allows_is_denied(request_: Request, ruling: Ruling) -> None:
    """Caller, callee, method and each reading of the path have to match one rule that allows."""
    assert policy_set(CHARGE).judge(request_) == ruling
    assert len(request_.method) <= 64


def test_without_rules_everything_is_denied() -> None:
    """No rules allow nothing."""
    assert policy_set().judge(call()) == Ruling(False, Ground.NO_RULE)


@pytest.mark.parametrize(
    ("mode", "request_", "decision"),
    [
        (Mode.ENFORCE, call(), Decision(True, Ground.ALLOWED, ("charge",))),
        (Mode.ENFORCE, call(path="/"), Decision(False, Ground.NO_RULE)),
        (Mode.SHADOW, call(), Decision(True, Ground.ALLOWED, ("charge",))),
        (Mode.SHADOW, call(path="/"), Decision(True, Ground.NO_RULE, shadow=True)),
        (Mode.SHADOW, call(path="x"), Decision(True, Ground.PATH_NOT_ABSOLUTE, shadow=True)),
        (Mode.SHADOW, call(None), Decision(True, Ground.NO_IDENTITY, shadow=True)),
        (Mode.OPEN, call(path="/"), Decision(True, Ground.OPEN)),
        (Mode.OPEN, call(None), Decision(True, Ground.OPEN)),
        (None, call(), Decision(False, Ground.UNKNOWN_CALLEE)),
    ],
)
def test_a_mode_says_how_much_the_rules_count(
    mode: Mode | None, request_: Request, decision: Decision
) -> None:
    """Open asks no rule, shadow lets all through and tells, enforce denies; no mode is denied."""
    assert policy_set(CHARGE).decide(request_, mode) == decision


def test_a_rule_that_denies_wins() -> None:
    """Whatever allows: one rule that denies is enough, and is named."""
    deny = rule("no refunds", "/*", "/payment", paths=["/transaction/refund"], effect="deny")
    rules = policy_set(CHARGE, deny)
    assert rules.judge(call()).allowed
    for path in ("/transaction/refund", "/transaction/refund/", "/transaction/x/../refund"):
        refused = rules.judge(call(path=path))
        assert refused == Ruling(False, Ground.FORBIDDEN, ("no refunds",))


@pytest.mark.parametrize("path", ["", "/spire", "/spire/server", "/spire/agent/x509pop/a"])
def test_a_rule_about_all_workloads_is_none_about_servers_and_agents(path: str) -> None:
    """Whoever has a node's own key has not what the workloads of the trust domain may do."""
    every = rule("every", "/*", "/payment")
    rules = policy_set(every, cedar="permit(principal, action, resource);")
    assert rules.judge(call(spiffe("/spired/agent"))).allowed
    assert rules.judge(call(spiffe(path))) == Ruling(False, Ground.NO_WORKLOAD)
    foreign = SpiffeId.parse(f"spiffe://partner.org{path}")
    assert rules.judge(call(foreign)) == Ruling(False, Ground.NO_WORKLOAD)


def test_small_letters_are_no_way_around_a_method_that_is_denied() -> None:
    """Some servers take `delete` for DELETE, so that no rule may let it through."""
    deny = rule("no deletes", "/*", "/payment", methods=["DELETE"], effect="deny")
    rules = policy_set(rule("anything", "/orders", "/payment"), deny)
    assert rules.judge(call(method="DELETE")) == Ruling(False, Ground.FORBIDDEN, ("no deletes",))
    for method in ("delete", "Delete", "DELETe"):
        assert rules.judge(call(method=method)) == Ruling(False, Ground.METHOD_MALFORMED)


def test_a_host_in_the_path_is_no_way_around_a_rule() -> None:
    """Servers that resolve `//x/admin` as a reference serve `/admin`."""
    deny = rule("no admin", "/*", "/payment", paths=["/admin", "/admin/*"], effect="deny")
    rules = policy_set(rule("anything", "/orders", "/payment", paths=["/*"]), deny)
    assert rules.judge(call(path="//assets/logo")).allowed
    for path in ("//x/admin", "//x//admin", "//x/admin/users", "//admin", "///admin"):
        assert rules.judge(call(path=path)) == Ruling(False, Ground.FORBIDDEN, ("no admin",))


def test_all_rules_that_allow_are_named() -> None:
    """The names are those of all rules that match, in the order of the rules, once each."""
    others = [rule(f"{n}", "/orders", "/payment") for n in range(12)]
    found = policy_set(*others, CHARGE).judge(call(path="/transaction//1"))
    assert found.by == (*(f"{n}" for n in range(12)), "charge")


def test_attributes_are_sets_of_values() -> None:
    """One of the values is enough; an identity without attributes has none."""
    batch = rule(
        "batch",
        "/*",
        "/payment",
        when={"caller": {"role": ["batch", "cron"]}, "callee": {"environment": "test"}},
    )
    rules = policy_set(
        batch,
        identities={
            BATCH: {"role": ["web", "batch"], "other": ["x"]},
            PAYMENT: {"environment": ["test"]},
            ORDERS: {"role": ["web"]},
        },
    )
    assert rules.judge(call(BATCH)).allowed
    assert not rules.judge(call(ORDERS)).allowed
    assert not rules.judge(call(spiffe("/unknown"))).allowed
    assert not rules.judge(call(BATCH, callee=ORDERS)).allowed


def test_a_workload_may_call_itself() -> None:
    """Caller and callee can be one identity."""
    assert policy_set(rule("own", "/payment", "/payment")).judge(call(PAYMENT)).allowed


CEDAR = """
permit(principal in Prefix::"spiffe://example.org/team-a", action, resource)
when { principal.attributes.role.contains("batch") && context.depth < 3 };
permit(principal, action, resource) when {
  context.segments.contains("0/public") && principal.trust_domain == resource.trust_domain &&
  !(principal.attributes has nothing && principal.attributes.nothing.contains("x"))
};
forbid(principal, action, resource) unless { context.method == "GET" };
"""


def test_cedar_says_more() -> None:
    """Statements in Cedar see identities, attributes and the request."""
    rules = policy_set(cedar=CEDAR, identities={BATCH: {"role": ["batch"]}})
    assert rules.judge(call(BATCH, "GET", "/a/b")).by == ("cedar/1",)
    assert rules.judge(call(BATCH, "GET", "/a/b/c")) == Ruling(False, Ground.NO_RULE)
    assert rules.judge(call(ORDERS, "GET", "/public/b/c")).by == ("cedar/2",)
    assert rules.judge(call(BATCH, "POST", "/a")) == Ruling(False, Ground.FORBIDDEN, ("cedar/3",))


def test_a_statement_that_cannot_be_evaluated_denies() -> None:
    """An error may hide a rule that forbids, so that it is no, whatever else allows."""
    overflow = "when { 9223372036854775807 + context.depth > 0 }"
    for effect in ("permit", "forbid"):
        rules = policy_set(CHARGE, cedar=f"{effect}(principal, action, resource) {overflow};")
        assert rules.judge(call()) == Ruling(False, Ground.RULE_ERROR)


def test_a_statement_that_does_not_parse_denies() -> None:
    """What another Cedar accepted and this one cannot read is no, and no exception."""
    broken = Statement("broken", Effect.DENY, "forbid(", (), ())
    rules = PolicySet(1, [Statement.of(CHARGE), broken], {}, {})
    assert rules.judge(call()) == Ruling(False, Ground.RULE_ERROR)


def test_no_attribute_is_taken_for_something_else() -> None:
    """Names that mean something in Cedar's JSON are names: they make no entity and no error."""
    odd = rule("odd", "/*", "/*", when={"caller": {"__entity": "x", "__extn": "y"}})
    rules = policy_set(odd, identities={BATCH: {"__entity": ["x"], "__extn": ["y"]}})
    assert rules.judge(call(BATCH)).by == ("odd",)
    assert rules.judge(call()) == Ruling(False, Ground.NO_RULE)


def test_every_ground_has_a_sentence() -> None:
    """An operator reads words beside each reason id."""
    assert all(each.sentence for each in Ground)


WITHOUT_CEDAR = """
import sys
from finial.policy.admission import METHODS
from finial.policy.document import PolicyDocument, Reader, SpiffeId
from finial.policy.explanation import explain
from finial.policy.request import Request
from finial.policy.selection import Selection
caller = SpiffeId.parse("spiffe://example.org/a")
rules = Reader().policy_set(PolicyDocument(version=1, callees={}))
print(rules.judge(Request.read(caller, caller, "GET", "/")).ground, "cedarpy" in sys.modules)
"""


def test_cedar_is_loaded_when_there_is_a_policy() -> None:
    """An agent without policies does not pay for Cedar."""
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_CEDAR], check=True, capture_output=True, text=True
    )
    assert ran.stdout == "no_rule False\n"


def test_rules_by_the_thousand_are_found_by_their_paths() -> None:
    """A pair with many rules is decided over those that are about the path."""
    rules = policy_set(
        *(rule(f"{n}", "/orders", "/payment", paths=[f"/{n}/*", f"/x/{n}"]) for n in range(3000)),
        rule("any", "/orders", "/payment", methods=["DELETE"]),
        rule("inside", "/orders", "/payment", paths=["/*/end"]),
    )
    assert rules.judge(call(path="/2999/a")).by == ("2999",)
    assert rules.judge(call(path="/x/7")).by == ("7",)
    assert rules.judge(call(path="/7/end")).by == ("7", "inside")
    assert rules.judge(call(method="DELETE", path="/")).by == ("any",)
    assert rules.judge(call(path="/3000/a")) == Ruling(False, Ground.NO_RULE)
    exact = policy_set(*(rule(f"{n}", "/orders", "/payment", paths=[f"/{n}"]) for n in range(9)))
    assert exact.judge(call(path="/9")) == Ruling(False, Ground.NO_RULE)


# What follows compares whole decisions with Cedar's over all rules, and with the rules' own words.

PATHS = ["/a", "/a/", "/a/b", "/a/b/c", "/b", "/b/x/c", "/", "/a/x/c"]
PATTERNS = ["/a", "/a/*", "/a/*/c", "/*", "/b", "/*/x/*", "/", "/a/b/*"]
IDS = ["/a", "/a/b", "/a/b/c", "/b", "/ab"]
SUBJECTS = ["/a", "/a/*", "/a/b/*", "/b", "/*"]
METHODS = ["GET", "POST"]
VALUES = ["x", "y"]

some_ids = st.lists(
    st.sampled_from(SUBJECTS).map(lambda text: f"spiffe://example.org{text}"),
    min_size=1,
    max_size=2,
)
some_has = st.dictionaries(st.sampled_from(["role", "team"]), st.sampled_from(VALUES), max_size=2)
some_rule = st.fixed_dictionaries(
    {
        "from": some_ids,
        "to": some_ids,
        "when": st.fixed_dictionaries({"caller": some_has, "callee": some_has}),
        "effect": st.sampled_from(["allow", "allow", "allow", "deny"]),
    },
    optional={
        "methods": st.lists(st.sampled_from(METHODS), min_size=1, max_size=2),
        "paths": st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3),
    },
)
some_identities = st.dictionaries(
    st.sampled_from([*map(spiffe, IDS)]),
    st.dictionaries(st.sampled_from(["role", "team"]), st.lists(st.sampled_from(VALUES))),
)


def says(rule: Rule, request: Request, path: str, identities: Mapping[SpiffeId, Has]) -> bool:
    """What the rule's words mean, without Cedar."""
    caller, callee = request.caller, request.callee
    assert caller is not None

    def has(who: SpiffeId, wanted: Iterable[tuple[str, tuple[str, ...]]]) -> bool:
        given = identities.get(who, {})
        return all(set(values) & set(given.get(name, ())) for name, values in wanted)

    return (
        any(each.matches(caller) for each in rule.callers)
        and any(each.matches(callee) for each in rule.callees)
        and (not rule.methods or request.method in rule.methods)
        and (not rule.paths or any(each.matches(path) for each in rule.judged_paths))
        and has(caller, rule.caller_has)
        and has(callee, rule.callee_has)
    )


def over_all(
    statements: Sequence[Statement], request: Request, path: str, identities: Mapping[SpiffeId, Has]
) -> Ruling:
    """Cedar's decision over all statements, with all that any of them may use."""
    caller, callee = request.caller, request.callee
    assert caller is not None
    known = entities(
        {each: identities.get(each, {}) for each in (caller, callee)},
        {"role", "team"},
        {str(spiffe(prefix)) for prefix in ("", "/a", "/a/b", "/a/b/c", "/b")},
    )
    asked = question(caller, callee, context(request.method, path, True))
    return ask(statements, parse(statements), known, asked)


@settings(max_examples=150, deadline=None)
@given(
    rules=st.lists(some_rule, max_size=14),
    identities=some_identities,
    requests=st.lists(
        st.builds(
            Request.read,
            st.sampled_from(IDS).map(spiffe),
            st.sampled_from(IDS).map(spiffe),
            st.sampled_from(METHODS),
            st.sampled_from(PATHS),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_the_index_decides_as_cedar_over_all_rules(
    rules: list[dict[str, object]],
    identities: dict[SpiffeId, Has],
    requests: list[Request],
) -> None:
    """Neither what is left out nor what is remembered changes what Cedar, and the rules, say."""
    read = [
        read_rule(json.dumps({"name": f"{n}", **each}).encode()) for n, each in enumerate(rules)
    ]
    statements = [Statement.of(each) for each in read]
    indexed = PolicySet(1, statements, {}, identities)
    for request in requests:
        (path,) = request.readings
        found = indexed.judge(request)
        assert found == over_all(statements, request, path, identities)
        matching = [each for each in read if says(each, request, path, identities)]
        deciding = [each for each in matching if each.effect is Effect.DENY] or matching
        assert found.by == tuple(each.name for each in deciding)
        assert found.allowed == (
            bool(matching) and all(each.effect is Effect.ALLOW for each in matching)
        )


def test_cedar_is_asked_again_about_what_only_it_can_tell_apart() -> None:
    """A statement may look at the path as it likes, so that its answers are not remembered."""
    cedar = """permit(principal, action, resource) when { context.path like "/*a" };"""
    rules = policy_set(rule("below", "/orders", "/payment", paths=["/x/*"]), cedar=cedar)
    assert rules.judge(call(path="/x/a")).by == ("below", "cedar")
    assert rules.judge(call(path="/x/b")).by == ("below",)
    assert rules.judge(call(path="/x/aa")).by == ("below", "cedar")
    assert rules.judge(call(path="/y")) == Ruling(False, Ground.NO_RULE)
