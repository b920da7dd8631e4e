"""An agent's explanation is completed by the entries that it does not have."""

from typing import Any

import pytest

from ca.registry.entry import Entry
from ca.registry.index import EntryIndex
from ca.registry.nodes.node import Node
from ca.registry.nodes.node_index import NodeIndex
from ca.registry.whereabouts import survey as surveying
from ca.registry.whereabouts.absence import Registry
from ca.registry.whereabouts.completion import Completion, Position
from ca.registry.whereabouts.lately import Gone
from ca.registry.whereabouts.survey import MOST_SHOWN, Field, survey
from finial.explain.evidence import ATTESTED, Evidence, Said
from finial.explain.explanation import EntryReport, Explanation, Outcome, ProcessReport
from finial.spiffe.identity import TrustDomain
from finial.spiffe.well_known import SERVER_PATH
from tests.doubles.clock import NOW
from tests.doubles.entries import agent, entry, node, selectors, sid
from tests.doubles.vocabulary import WORDS

SERVER = sid(SERVER_PATH)
CLUSTER = sid("/cluster")
FOUND = Evidence(
    [
        Said("unix", ATTESTED, selectors("unix:uid:1000", "unix:path:/bin/web")),
        Said("docker", ATTESTED, selectors("docker:env:A=(hidden)")),
    ],
    WORDS.grammars,
)


def completed(
    *entries: Entry,
    own: tuple[str, ...] = (),
    gone: tuple[Gone, ...] = (),
    here: Node | None = None,
    nodes: tuple[Node, ...] = (),
    **changes: Any,
) -> Explanation:
    """What becomes of the explanation of a refusal on the agent `a`."""
    here = here or node()
    index, known = EntryIndex(), NodeIndex()
    index.apply(entries)
    known.apply((here, *nodes))
    explanation = Explanation(
        agent_id=str(agent("a")),
        process=ProcessReport(pid=7, uid=1000, gid=1000),
        first_at=NOW,
        last_at=NOW,
        **{"outcome": Outcome.REFUSED, "causes": ("no entry matches",), **changes},
    )
    sightings = survey(
        Field(tuple(index), frozenset(own), gone),
        FOUND,
        matched={each.id for each in explanation.matches},
        granted={each.spiffe_id for each in explanation.matches},
    )
    position = Position(here, 75, {"late": 77, "e1": 70}, NOW)
    registry = Registry(index, known, WORDS.grammars, {agent("b")})
    made = Completion(FOUND, registry, position)
    return made.complete(explanation, sightings)


def test_an_entry_of_another_agent_is_the_likeliest_cause() -> None:
    """It is told first, with the command that registers it here too."""
    found = completed(entry(parent_id=agent("b")), nodes=(node("b"),))
    [elsewhere] = found.elsewhere
    assert elsewhere.parent_id == str(agent("b"))
    assert elsewhere.why == f"its parent is another agent, {agent('b')}"
    assert found.causes == (
        "the entry e1 for spiffe://example.org/e1 matches, but is not this agent's: "
        f"its parent is another agent, {agent('b')}",
        "no entry matches",
    )
    assert found.fixes[0].command == (
        f"finial entry create spiffe://example.org/e1 --parent {agent('a')} --selector unix:uid:1000"
    )


def test_the_command_makes_the_same_entry() -> None:
    """With its lifetimes, names and switches, quoted for a shell."""
    other = entry(
        parent_id=agent("b"),
        x509_svid_ttl=60,
        jwt_svid_ttl=30,
        dns_names=("web.internal", "www"),
        federates_with=(TrustDomain("other.org"),),
        hint="it's",
        attributes=(("role", "web"),),
        admin=True,
        downstream=True,
        expires_at=int(NOW) + 3600,
    )
    found = completed(other, nodes=(node("b"),))
    assert found.fixes[0].what == (
        "register spiffe://example.org/e1 for this agent too, if it may administer the server and "
        "issue SVIDs as a server and run there"
    )
    assert found.fixes[0].command.endswith(
        "--selector unix:uid:1000 --expires-at 2027-01-15T09:00:00Z --x509-svid-ttl 60 --jwt-svid-ttl 30 --dns web.internal "
        "--dns www --federates-with other.org --hint 'it'\"'\"'s' --attribute role=web "
        "--admin --downstream"
    )


MOVE = f"finial entry update e1 --parent {agent('a')}"


@pytest.mark.parametrize("parent", [agent("gone"), SERVER])
def test_an_entry_whose_parent_is_lost_or_wrong_is_moved(parent: Any) -> None:
    """The agent is gone, or the entry describes nodes by mistake."""
    found = completed(entry(parent_id=parent))
    assert [each.command for each in found.fixes] == [MOVE]


def test_an_entry_whose_parent_nothing_grants_is_moved_or_its_parent_made() -> None:
    """The narrow way first: an alias would bring everything else below it."""
    first, second = completed(entry(parent_id=CLUSTER)).fixes
    assert first.command == MOVE
    assert second.command.startswith(f"finial entry create {CLUSTER} --parent {SERVER}")


def test_an_entry_of_an_agent_that_is_away_may_be_moved() -> None:
    """If that agent does not come back."""
    found = completed(entry(parent_id=agent("c")), nodes=(node("c"),))
    assert "which is not connected" in found.causes[0]
    assert [each.command for each in found.fixes][1:] == [MOVE]


def test_an_entry_below_an_alias_has_two_ways_here() -> None:
    """The entry is copied; or the node becomes one of the alias, by its selectors or its ID."""
    alias = entry(
        "alias", parent_id=SERVER, spiffe_id=CLUSTER, selectors=selectors("x509pop:name:z")
    )
    found = completed(entry(parent_id=CLUSTER), alias)
    assert [each.command for each in found.fixes] == [
        f"finial entry create spiffe://example.org/e1 --parent {agent('a')} "
        "--selector unix:uid:1000",
        f"finial entry create {CLUSTER} --parent {SERVER} --selector x509pop:name:a",
    ]
    found = completed(entry(parent_id=CLUSTER), alias, here=node(selectors=()))
    assert found.fixes[1].command == (
        f"finial entry create {CLUSTER} --parent {agent('a')} --selector spiffe_id:{agent('a')}"
    )


def test_an_entry_on_its_way_is_said_to_be() -> None:
    """Its version is newer than what the agent has applied, or the agent has just learned it."""
    found = completed(entry("late"), own=("late",))
    assert found.elsewhere[0].why == (
        "it is on its way to this agent: it changed with version 77, and the agent has applied 75"
    )
    assert "matches, but it is on its way" in found.causes[0]
    assert found.fixes[0].what == "wait a moment and ask again"
    found = completed(entry(), own=("e1",))
    assert found.elsewhere[0].why == "this agent has just learned of it: ask again"


def test_what_the_agent_compares_itself_is_not_repeated() -> None:
    """Its matches, its near misses, stores' entries, and IDs that the process has anyway."""
    own = ("e1", "near", "store")
    same = EntryReport(id="e1", spiffe_id="spiffe://example.org/e1")
    found = completed(
        entry(),
        entry("near", selectors=selectors("unix:uid:1001")),
        entry("store", store_svid=True),
        entry("stored-there", parent_id=agent("b"), store_svid=True),
        entry("twin", spiffe_id=sid("/e1"), parent_id=agent("b")),
        own=own,
        gone=(
            Gone(entry("old", spiffe_id=sid("/e1")), NOW),
            Gone(entry("stored-once", store_svid=True), NOW),
        ),
        matches=(same,),
    )
    assert found.elsewhere == ()
    assert found.causes == ("no entry matches",)


def test_an_entry_that_is_gone_is_remembered() -> None:
    """Deleted, or expired: it would have matched."""
    old = entry("old", selectors=selectors("unix:uid:1000"))
    found = completed(gone=(Gone(old, NOW - 180),))
    assert found.elsewhere[0].why == "it was deleted 3 min ago"
    assert found.causes[0].endswith("matches no more: it was deleted 3 min ago")
    assert found.fixes[0].command.startswith("finial entry create spiffe://example.org/old")
    old = entry("old", expires_at=int(NOW) - 70)
    found = completed(gone=(Gone(old, NOW - 60),))
    assert found.elsewhere[0].why == "it expired and was deleted 1 min ago"


def test_what_the_agent_still_serves_after_a_deletion_is_told() -> None:
    """Its word about an entry that the server has no more."""
    stale = EntryReport(id="stale", spiffe_id="spiffe://example.org/x")
    found = completed(matches=(stale,), outcome=Outcome.SERVED)
    assert "the entry stale for spiffe://example.org/x is deleted on the server" in found.causes[0]


def test_who_is_served_needs_no_fix() -> None:
    """What is elsewhere is shown to them, too, and is no cause of anything."""
    found = completed(entry(parent_id=agent("b")), outcome=Outcome.SERVED, causes=())
    assert (len(found.elsewhere), found.causes, found.fixes) == (1, (), ())


def test_no_command_shows_a_secret() -> None:
    """An entry with a secret selector that the server knows is not spelled out; nor is its value."""
    secret = selectors("docker:env:A=hunter2", "unix:uid:1000")
    found = completed(entry(parent_id=agent("b"), selectors=secret))
    assert found.elsewhere[0].entry.missing[0].wanted == "docker:env:A=(hidden)"
    assert "hunter2" not in str(found)
    gone = Gone(entry("old", selectors=selectors("unix:uid:1000")), NOW)
    bare = Completion(
        FOUND,
        Registry(EntryIndex(), NodeIndex(), WORDS.grammars),
        Position(node(), 0, {}, NOW),
    )
    assert bare._create(entry(selectors=secret), "x") == ""
    assert bare._farewell(gone) == "it was deleted 0 s ago"


def test_only_the_nearest_are_shown_and_the_far_never() -> None:
    """At most ten, and none that has little to do with the process."""
    many = [entry(f"e{n:02}", parent_id=agent("b")) for n in range(MOST_SHOWN + 5)]
    far = entry("far", parent_id=agent("b"), selectors=selectors("k8s:ns:x", "k8s:pod-name:y"))
    found = completed(*many, far)
    assert len(found.elsewhere) == MOST_SHOWN
    assert len(found.causes) == 4
    assert completed(far).elsewhere == ()


def test_among_very_many_only_the_promising_are_compared() -> None:
    """Then an entry of which nothing is met is passed over, however near it may be spelled."""
    near = entry("near", parent_id=agent("b"), selectors=selectors("unix:uid:1001"))
    met = entry(
        "met", parent_id=agent("b"), selectors=selectors("unix:uid:1000", "unix:path:/bin/wib")
    )
    assert [each.entry.id for each in completed(near, met).elsewhere] == ["met", "near"]
    others = [
        entry(f"o{n}", parent_id=agent("b"), selectors=selectors("k8s:ns:x"))
        for n in range(surveying.FEW_ENTRIES)
    ]
    assert [each.entry.id for each in completed(near, met, *others).elsewhere] == ["met"]


def test_an_entry_that_has_expired_and_is_served_still_is_said_to_end() -> None:
    """Between its end and its deletion an agent serves it, which nobody should wonder about."""
    over = entry("over", expires_at=int(NOW) - 70)
    report = EntryReport(id="over", spiffe_id="spiffe://example.org/over")
    found = completed(over, own=("over",), matches=(report,), outcome=Outcome.SERVED)
    assert found.causes[0] == (
        "the entry over for spiffe://example.org/over expired 1 min 10 s ago, and is deleted within "
        "some minutes"
    )
