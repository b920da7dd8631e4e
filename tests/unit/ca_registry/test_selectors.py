"""Entries are judged by what attestors give: nothing that nobody could match slips in."""

import pytest

from ca.registry.selectors.fleet import Fleet
from ca.registry.selectors.judge import judge_selectors, unchanged
from ca.registry.selectors.running import unattested
from ca.registry.selectors.spelling import nearest
from ca.registry.selectors.vocabulary import SelectorType, Vocabulary
from finial.spiffe.refusal import Kind
from finial.spiffe.selector import Selector
from finial.spiffe.well_known import SERVER_PATH
from tests.doubles.entries import agent, entry, node, selectors, sid
from tests.doubles.vocabulary import K8S, WORDS, around, form

SERVER = sid(SERVER_PATH)


def fleet(**reports: tuple[str, ...]) -> Fleet:
    """Agents a, b ... that run unix, and what else is named."""
    found = Fleet()
    for name, types in reports.items():
        found.note(agent(name), tuple((each, ("uid", "label")) for each in sorted(types)))
    return found


@pytest.mark.parametrize(
    "text",
    [
        "unix:uid:1000",
        "docker:label:app:web:1",
        "docker:env:A=",
        "open:whatever",
        "foreign:x",
        "spiffe_id:spiffe://example.org/spire/agent/x509pop/0123",
    ],
)
def test_what_something_gives_is_good(text: str) -> None:
    """Installed attestors' forms, attestors without a grammar, and types that settings add."""
    assert judge_selectors(entry(selectors=selectors(text)), around()) == ()


@pytest.mark.parametrize(
    ("text", "fault", "remedy"),
    [
        ("dcoker:label:app:web", "no attestor gives selectors of the type dcoker", "docker:label:"),
        ("Unix:uid:1", "no attestor gives", "did you mean unix:uid:1?"),
        ("uid:1000", "no attestor gives", "did you mean unix:uid:1000?"),
        ("label:app:web", "no attestor gives", "did you mean docker:label:app:web?"),
        ("nonsense:x", "no attestor gives", "there are docker, k8s, unix, open"),
        ("k8s:pod_name:web-1", "gives no selector k8s:pod_name", "k8s:pod-name:web-1?"),
        ("docker:lable:app:web", "gives no selector docker:lable", "docker:label:app:web?"),
        ("unix:ns:web", "gives no selector unix:ns", "did you mean k8s:ns:web?"),
        ("unix:zzz", "gives no selector unix:zzz", "it gives uid, user, path, sha256"),
        ("unix:uid:web", "no unix:uid selector has such a value", "did you mean unix:user:web?"),
        ("unix:uid=7", "no unix:uid selector has such a value", "did you mean unix:uid:7?"),
        ("unix:uid: 7", "no unix:uid selector has such a value", "did you mean unix:uid:7?"),
        ("unix:sha256:" + "AB" * 32, "no unix:sha256", "unix:sha256:" + "ab" * 32),
        ("k8s:namespace:web", "gives no selector k8s:namespace", "did you mean k8s:ns:web?"),
        ("docker:label:app=web", "no docker:label selector", "did you mean docker:label:app:web?"),
        ("docker:env:A:b", "no docker:env selector", "did you mean docker:env:A=(hidden)?"),
        ("docker:label:app", "no docker:label selector", "write it like docker:label:app:web"),
        ("unix:uid:", "no unix:uid selector", "write it like unix:uid:1000"),
        ("docker:env:password", "no docker:env selector", "write it like docker:env:A=b"),
        ("x509pop:subject:cn:a", "describe nodes", "such as docker:label:app:web"),
        ("join_token:x", "describe nodes", "describe a workload"),
        ("spiffe_id:web", "no attestor gives", "there are docker"),
        ("unix:" + "u" * 9000, "gives no selector unix:uuuu", "it gives uid"),
        ("x" * 9000 + ":y", "no attestor gives selectors of the type xxxx", "there are docker"),
    ],
)
def test_what_nothing_gives_is_refused_with_the_nearest(text: str, fault: str, remedy: str) -> None:
    """An unknown type, key or an impossible value is refused, naming what may have been meant."""
    [found] = judge_selectors(entry(selectors=(Selector(*text.split(":", 1)),)), around())
    refusal = found.refusal()
    assert fault in refusal.detail
    assert remedy in refusal.remedy
    assert refusal.remedy.endswith("to insist, add ?force=true (--force)")
    assert (refusal.kind, refusal.field) == (Kind.INVALID, "selectors")
    assert len(refusal.detail) < 200
    assert str(found) == f"{found.selector}: {found.fault}"


def test_a_secret_value_is_not_repeated() -> None:
    """What follows the name in a secret selector is in no message and no audit log."""
    assert WORDS.shown(Selector("docker", "env:PASSWORD=x")) == "docker:env:PASSWORD=(hidden)"
    assert WORDS.shown(Selector("docker", "label:a:b")) == "docker:label:a:b"
    assert WORDS.shown(Selector("open", "label:" + "x" * 99)) == "open:label:" + "x" * 69
    for text in ("docker:env:hunter2", "docker:env=A=hunter2", "docker:environ=A:hunter2"):
        wanted = entry(selectors=selectors(text))
        [found] = judge_selectors(wanted, around())
        refusal = found.refusal()
        told = (str(refusal), str(found), refusal.value, refusal.remedy)
        assert "hunter2" not in "".join(told)
        assert "hunter2" not in "".join(unattested(wanted, around(fleet(a=("docker",)))))


def test_several_forms_may_bear_one_name() -> None:
    """A value is good when one of them matches."""
    words, numbers = form("two", "id", "[a-z]", "a"), form("two", "id", "[0-9]", "1")
    both = SelectorType.of("two", words, numbers)
    assert both.has("id:7")
    assert both.has("id:x")
    assert not both.has("id:7x")


def test_the_nearest_is_one_that_exists() -> None:
    """Among types without a grammar the name alone counts; no value, no suggestion."""
    types = {"open": SelectorType("open")}
    assert nearest(Selector("oppen", "x"), types) == Selector("open", "x")
    assert nearest(Selector("zzz", "x"), types) is None
    assert nearest(Selector("k8", "ns:"), {"k8s": K8S}) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x509pop:subject:cn:node", ""),
        ("foreign:x", ""),
        ("tpm_devid:ca:1", ""),
        ("spiffe_id:spiffe://example.org/a", ""),
        ("unix:uid:7", "describe workloads"),
        ("join_token:x", "the attestor join_token gives no selectors"),
        ("x509pop:subjekt:cn:node", "gives no selector x509pop:subjekt"),
        ("aws:x", "no attestor gives"),
    ],
)
def test_an_alias_is_judged_by_node_selectors(text: str, fault: str) -> None:
    """An entry whose parent is the server has the selectors of node attestors, or of a node."""
    held = around(nodes=[node(selectors=selectors("tpm_devid:ca:0"))])
    found = judge_selectors(entry(parent_id=SERVER, selectors=selectors(text)), held)
    assert [fault in each.fault for each in found] == ([True] if fault else [])


def test_without_any_node_attestor_there_is_nothing_to_suggest() -> None:
    """The refusal still says what is wrong."""
    empty = around(words=Vocabulary())
    [found] = judge_selectors(entry(selectors=selectors("unix:uid:7")), empty)
    assert "there are none" in found.remedy
    words = Vocabulary(node={"x509pop": WORDS.node["x509pop"]})
    [found] = judge_selectors(entry(selectors=selectors("x509pop:x:y")), around(words=words))
    assert found.remedy == "describe a workload: such as unix:uid:1000"


def test_an_entry_for_a_store_is_let_be() -> None:
    """Selectors of SVID stores are the stores' own."""
    stored = entry(selectors=selectors("aws_secretsmanager:name:x"), store_svid=True)
    assert judge_selectors(stored, around()) == ()
    assert unattested(stored, around(fleet(a=("docker",)))) == ()


def test_what_a_change_leaves_is_let_be() -> None:
    """Selectors that an entry has already are not judged again, unless it became an alias."""
    odd = entry(selectors=selectors("odd:x", "unix:uid:7"))
    more = entry(selectors=selectors("odd:x", "unix:uid:8"))
    assert judge_selectors(more, around(), unchanged(odd, more)) == ()
    alias = entry(parent_id=SERVER, selectors=selectors("odd:x"))
    assert len(judge_selectors(alias, around(), unchanged(odd, alias))) == 1


def test_what_agents_report_counts() -> None:
    """A type, or a form of a known type, that an agent names is good; its values are not known."""
    known = fleet(a=("custom", "docker"))
    for text in ("custom:uid:x", "docker:uid:x"):
        assert judge_selectors(entry(selectors=selectors(text)), around(known)) == ()
    [found] = judge_selectors(entry(selectors=selectors("custom:zzz:x")), around(known))
    assert "no agent's attestor custom gives a selector custom:zzz" in found.fault
    [found] = judge_selectors(entry(selectors=selectors("docker:label:x")), around(known))
    assert "no docker:label selector has such a value" in found.fault


def test_what_runs_nowhere_is_refused_only_if_every_agent_spoke() -> None:
    """Before all agents have said what they run, an attestor that none runs is a warning."""
    docker = entry(selectors=selectors("docker:label:app:web"), parent_id=sid("/cluster"))
    nodes = [node("a"), node("b"), node("old", expires_at=1), node("bad", banned=True)]
    some, all_ = fleet(a=("unix",)), fleet(a=("unix",), b=("unix",))
    assert judge_selectors(docker, around(some, nodes)) == ()
    [warning] = unattested(docker, around(some, nodes))
    assert warning == "none of the 1 agents that said which attestors they run runs docker"
    [found] = judge_selectors(docker, around(all_, nodes))
    assert found.fault == "no agent runs the attestor docker (2 said which they run)"
    assert "[plugins.workload_attestor.docker]" in found.remedy
    assert judge_selectors(docker, around(fleet(), ())) == ()
    assert unattested(docker, around()) == ()


def test_the_parent_agent_has_to_run_the_attestor() -> None:
    """Otherwise the author is warned, once for each attestor or form."""
    known = around(fleet(a=("unix",), b=("docker",)))
    wanted = entry(selectors=selectors("docker:label:a:b", "docker:label:c:d", "open:x"))
    assert unattested(wanted, known) == (
        f"the agent {agent('a')} does not run the attestor docker",
        f"the agent {agent('a')} does not run the attestor open",
    )
    [warning] = unattested(entry(selectors=selectors("unix:path:/a", "unix:uid:7")), known)
    assert warning == f"the agent {agent('a')} gives no selectors unix:path"
    assert unattested(entry(selectors=selectors("foreign:x")), known) == ()
    alias = entry(parent_id=SERVER, selectors=selectors("x509pop:subject:cn:a"))
    assert unattested(alias, known) == ()
