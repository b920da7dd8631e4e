"""What may be blocked, what is blocked, and what a block hits."""

from typing import Any

import msgspec
import pytest

from ca.registry.block.block_index import BlockIndex
from ca.registry.block.judge_block import (
    MAX_REASON,
    agent_refusal,
    judge_end,
    judge_reason,
    read_subject,
    refusal,
    serial_refusal,
)
from ca.registry.block.outlook import Outlook, holders_of
from ca.registry.block.reach import (
    MAX_ENTRIES,
    MAX_SIZE,
    MAX_SVIDS,
    Held,
    document_of,
    entries_of,
    fitting,
    reach_of,
    size_of,
)
from ca.registry.index import EntryIndex
from ca.registry.issued import Issued, SvidKind
from ca.registry.nodes.node_index import NodeIndex
from finial.blocks import MAX_DOCUMENT, Block, BlocksDocument, SubjectKind, decode, encode
from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.spiffe.selector import Selector
from tests.doubles.entries import DOMAIN, agent, entry, node, selectors

NOW = 1000.0
A = agent("a")


def block(kind: SubjectKind, subject: object, id_: str = "b", until: int = 0) -> Block:
    return Block(id_, kind, str(subject), "key leaked", 900, until, "local uid 0")


def svid(serial: str = "1", **changes: Any) -> Issued:
    fields: dict[str, Any] = {
        "kind": SvidKind.X509,
        "serial": serial,
        "spiffe_id": "spiffe://example.org/e1",
        "authority_id": "aa",
        "issued_at": 900,
        "expires_at": 2000,
        "entry_id": "e1",
        "agent_id": str(A),
    }
    return Issued(**{**fields, **changes})


def registered() -> tuple[EntryIndex, NodeIndex]:
    entries, nodes = EntryIndex(), NodeIndex()
    entries.apply([entry("e1"), entry("e2", parent_id=agent("b"), selectors=selectors("k8s:ns:x"))])
    nodes.apply([node("a"), node("b")])
    return entries, nodes


def indexed(*blocks: Block) -> BlockIndex:
    index = BlockIndex()
    index.replace(blocks)
    return index


@pytest.mark.parametrize(
    ("kind", "text", "read"),
    [
        ("spiffe_id", " spiffe://example.org/web ", ("spiffe_id", "spiffe://example.org/web")),
        ("spiffe_id", "spiffe://other.org/spire/agent/x", ("spiffe_id", None)),
        ("spiffe_id", "spiffe://other.org/spire/server", ("spiffe_id", None)),
        ("spiffe_id", str(A), ("agent", None)),
        ("agent", str(A), ("agent", None)),
        ("entry", "e1", ("entry", "e1")),
        ("jti", "x-y", ("jti", "x-y")),
        ("selector", "unix:uid:0", ("selector", None)),
        ("serial", "0042", ("serial", "42")),
        ("serial", "0x2A", ("serial", "42")),
        ("serial", "00:2a", ("serial", "42")),
        ("serial", "fe", ("serial", "254")),
    ],
)
def test_subject_is_read_into_one_spelling(
    kind: str, text: str, read: tuple[str, str | None]
) -> None:
    """An agent's ID is the agent; a serial number is decimal, however it was printed."""
    assert read_subject(SubjectKind(kind), text, DOMAIN) == (
        SubjectKind(read[0]),
        text if read[1] is None else read[1],
    )


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("spiffe_id", "spiffe://example.org/spire/server", Kind.PRECONDITION),
        ("agent", "spiffe://example.org/spire/server", Kind.PRECONDITION),
        ("agent", "spiffe://example.org/web", Kind.INVALID),
        ("agent", "spiffe://other.org/spire/agent/x", Kind.INVALID),
        ("spiffe_id", "spiffe://example.org", Kind.INVALID),
        ("spiffe_id", "web", Kind.INVALID),
        ("selector", "unix", Kind.INVALID),
        ("serial", "xyz", Kind.INVALID),
        ("serial", "1" * 50, Kind.INVALID),
        ("jti", "", Kind.INVALID),
        ("entry", "a\nb", Kind.INVALID),
        ("jti", "x" * 2049, Kind.INVALID),
    ],
)
def test_what_cannot_be_blocked_is_refused(kind: str, text: str, why: Kind) -> None:
    """The server's own ID, a whole trust domain, and whatever is not what it claims to be."""
    with pytest.raises(Refusal) as refused:
        read_subject(SubjectKind(kind), text, DOMAIN)
    assert refused.value.kind is why


def test_reason_and_end_are_judged() -> None:
    """Whoever meets a block reads its reason; a block that is over blocks nothing."""
    assert judge_reason(" leaked ") == "leaked"
    for bad in ("", " ", "x" * (MAX_REASON + 1), "a\x1b[2J"):
        with pytest.raises(Refusal):
            judge_reason(bad)
    assert judge_end(0, NOW) == 0
    assert judge_end(1001, NOW) == 1001
    with pytest.raises(Refusal):
        judge_end(1000, NOW)
    said = refusal(block(SubjectKind.ENTRY, "e1"), "entry e1")
    assert (said.kind, said.detail, said.value) == (
        Kind.DENIED,
        "entry e1 is blocked: key leaked",
        "b",
    )


def test_entry_is_blocked_by_itself_its_id_or_a_selector() -> None:
    """Any of the three is enough, and nothing else is."""
    one = entry("e1")
    for by in (
        block(SubjectKind.ENTRY, "e1"),
        block(SubjectKind.SPIFFE_ID, one.spiffe_id),
        block(SubjectKind.SELECTOR, "unix:uid:1000"),
    ):
        assert indexed(by).of_entry(one, NOW) is by
        assert indexed(by).of_entry(entry("e2", selectors=selectors("k8s:ns:x")), NOW) is None
    assert indexed().of_entry(one, NOW) is None
    other = indexed(block(SubjectKind.SELECTOR, "unix:uid:7"))
    assert other.of_entry(one, NOW) is None


def test_agent_is_blocked_by_itself_or_a_selector_of_its_node() -> None:
    """A selector that its node shows is enough."""
    by_id, by_node = block(SubjectKind.AGENT, A), block(SubjectKind.SELECTOR, "x509pop:name:a")
    shown = (Selector("x509pop", "name:a"),)
    assert indexed(by_id).of_agent(A, (), NOW) is by_id
    assert indexed(by_node).of_agent(A, shown, NOW) is by_node
    assert indexed(by_id, by_node).of_agent(agent("b"), (), NOW) is None


def test_blocked_agent_can_tell_that_it_is() -> None:
    """A denial for a block is told from others, so that the agent locks its workloads out."""
    told = agent_refusal(block(SubjectKind.AGENT, A), A)
    assert (told.kind, told.reason, told.value) == (Kind.DENIED, Reason.AGENT_BLOCKED, "b")
    assert str(A) in told.detail


@pytest.mark.parametrize("reason", [None, Reason.AGENT_NOT_ACTIVE])
def test_whoever_shows_a_blocked_svid_is_told_which(reason: Reason | None) -> None:
    """An agent that may attest anew is told so, by the reason that makes it do that."""
    told = serial_refusal(block(SubjectKind.SERIAL, "7"), "7", A, reattestable=reason is not None)
    assert (told.kind, told.reason, told.value) == (Kind.DENIED, reason, "b")
    assert f'the X.509-SVID 7 of "{A}"' in told.detail


def test_issued_svid_is_blocked_by_any_part_of_its_row() -> None:
    """By its identity, entry, agent, serial number or JWT id; an agent's own by the agent."""
    for by in (
        block(SubjectKind.SPIFFE_ID, "spiffe://example.org/e1"),
        block(SubjectKind.ENTRY, "e1"),
        block(SubjectKind.AGENT, A),
        block(SubjectKind.SERIAL, "1"),
    ):
        assert indexed(by).of_issued(svid(), NOW) is by
    jti = block(SubjectKind.JTI, "1")
    assert indexed(jti).of_issued(svid(), NOW) is None
    assert indexed(jti).of_issued(svid(kind=SvidKind.JWT), NOW) is jti
    own = svid("7", spiffe_id=str(A), entry_id="", agent_id="")
    by = block(SubjectKind.AGENT, A)
    assert indexed(by).of_issued(own, NOW) is by
    assert indexed(block(SubjectKind.SERIAL, "1")).of_serial("1", NOW) is not None


def test_blocks_are_found_and_end() -> None:
    """By id and by subject, in their order; one that has ended blocks nothing and is there yet."""
    first = block(SubjectKind.ENTRY, "e1", "b1", until=1100)
    second = block(SubjectKind.SPIFFE_ID, "spiffe://example.org/e1", "b2", until=1200)
    index = indexed(second, first)
    assert len(index) == 2
    assert list(index) == [first, second]
    assert index.get("b1") is first
    assert index.on(SubjectKind.ENTRY, "e1") is first
    assert index.on(SubjectKind.ENTRY, "e2") is None
    assert index.holding(NOW) == (first, second)
    assert index.holding(1100) == (second,)
    assert index.of_entry(entry("e1"), 1100) is second
    assert [index.next_end(now) for now in (NOW, 1100, 1200)] == [1100, 1200, 0]


def test_reach_names_what_is_hit() -> None:
    """Each kind hits its own; a selector is spread over entries and nodes; the lasting one wins."""
    entries, nodes = registered()
    blocks = [
        block(SubjectKind.SPIFFE_ID, "spiffe://example.org/e1", "b1"),
        block(SubjectKind.ENTRY, "e2", "b2", until=2000),
        block(SubjectKind.AGENT, A, "b3"),
        block(SubjectKind.SELECTOR, "x509pop:name:b", "b4"),
        block(SubjectKind.SELECTOR, "k8s:ns:x", "b5"),
        block(SubjectKind.SERIAL, "5", "b6"),
        block(SubjectKind.JTI, "j", "b7"),
    ]
    reach = reach_of(blocks, entries, nodes)
    assert reach.spiffe_ids == {"spiffe://example.org/e1": "b1"}
    assert reach.entries == {"e2": "b5"}
    assert reach.agents == {str(A): "b3", str(agent("b")): "b4"}
    assert reach.hits(svid("9", spiffe_id="spiffe://example.org/e1", entry_id="", agent_id=""))
    assert not reach.hits(svid("9", spiffe_id="spiffe://example.org/x", entry_id="", agent_id=""))
    live = [
        svid("1", agent_id=""),
        svid("2", entry_id="e2", agent_id=""),
        svid("3", kind=SvidKind.JWT),
    ]
    document = document_of(7, blocks, reach, live, shortened=True)
    assert document.version == 7
    assert document.serials == {"5": "b6", "2": "b5"}
    assert document.jtis == {"j": "b7", "3": "b3"}
    assert document.spiffe_ids == {**reach.spiffe_ids, **reach.agents}
    assert document.selectors == {"x509pop:name:b": "b4", "k8s:ns:x": "b5"}
    assert document.shortened
    assert {each.who for each in document.blocks} == {""}


def test_largest_document_can_be_read() -> None:
    """Blocks, entries and live SVIDs are each bounded, so that all together fit into a document."""
    entries, nodes = registered()
    longest = f"spiffe://example.org/{'x' * 2000}"
    blocks = [
        block(SubjectKind.SPIFFE_ID, f"{longest}{number}", f"b{number}") for number in range(240)
    ]
    blocks.append(block(SubjectKind.ENTRY, "own", "e"))
    assert size_of(blocks) < MAX_SIZE
    assert size_of(blocks * 2) > MAX_SIZE // 2
    reach = reach_of(blocks, entries, nodes)
    name = "0" * 36
    reach.entries = {f"{number:036}": name for number in range(MAX_ENTRIES + 7)} | {"own": "e"}
    live = [
        svid(str(10**38 + number), entry_id=f"{number % 99:036}") for number in range(MAX_SVIDS)
    ]
    document = document_of(7, blocks, reach, live, shortened=False)
    assert document.shortened
    assert (len(document.entries), len(document.serials)) == (MAX_ENTRIES, MAX_SVIDS)
    assert document.entries["own"] == "e"
    row_of_a_crl = 50
    assert len(encode(document)) + MAX_SVIDS * row_of_a_crl < MAX_DOCUMENT


def test_entries_that_a_block_hits() -> None:
    """Those that grant the identity, that one, the agent's children, those with the selector."""
    entries, _ = registered()
    for by, ids in (
        (block(SubjectKind.SPIFFE_ID, "spiffe://example.org/e1"), ["e1"]),
        (block(SubjectKind.ENTRY, "e2"), ["e2"]),
        (block(SubjectKind.ENTRY, "e3"), []),
        (block(SubjectKind.AGENT, A), ["e1"]),
        (block(SubjectKind.SELECTOR, "k8s:ns:x"), ["e2"]),
        (block(SubjectKind.SERIAL, "1"), []),
        (block(SubjectKind.JTI, "1"), []),
    ):
        assert [each.id for each in entries_of(by, entries)] == ids


def test_outlook_says_who_could_still_accept_what() -> None:
    """Verifiers that look at nothing until the last SVID ends; agents that are away as well."""
    svids = (svid("1"), svid("2", kind=SvidKind.JWT, expires_at=3000), svid("3", agent_id=""))
    holders = holders_of(svids, {agent("b")}, {A: 950})
    [holder] = holders
    assert (holder.id, holder.connected, holder.svids) == (A, False, 2)
    assert (holder.until, holder.left_at) == (3000, 950)
    found = Outlook((), svids, holders, (A, agent("c")))
    assert not found.is_empty
    mtls, tokens, holding, away = found.remains()
    assert (mtls.until, tokens.until, holding.until, away.until) == (2000, 3000, 3000, 3000)
    assert "mTLS" in mtls.who
    assert "what it holds" in holding.what
    assert "what it holds" not in away.what
    assert "cannot be reached" in holding.who
    cut = Outlook((), svids, holders, (A,), blocked_agents=(A,))
    assert "is blocked" in list(cut.remains())[-1].who


def test_nobody_here_knows_how_long_a_foreign_identity_is_accepted() -> None:
    """Its trust domain issues, and keeps no ledger for us; agents that are away let it pass."""
    everybody, away = Outlook((), (), (), (A,), foreign=True).remains()
    assert "its own trust domain issued" in everybody.what
    assert str(A) in away.who
    assert (everybody.until, away.until) == (0, 0)


def test_outlook_over_nothing_is_empty() -> None:
    """Nothing is hit, so nobody can accept it."""
    assert Outlook((), (), ()).is_empty
    assert not Outlook((), (), (), foreign=True).is_empty
    assert list(Outlook((), (), (), (A,)).remains()) == []
    assert not Outlook((), (), (), blocked_agents=(A,)).is_empty
    assert not Outlook((entry("e1"),), (), ()).is_empty


def test_a_document_that_would_be_too_long_says_what_is_named_by_blocks_themselves() -> None:
    """Agents would refuse all of a longer one; by what blocks name they still refuse everybody."""
    kinds = tuple(SubjectKind)
    blocks = tuple(Block(f"b{kind}", kind, f"{kind}:x", "r", 1) for kind in kinds)
    every = {f"{kind}:x": f"b{kind}" for kind in kinds}
    agents = {f"spiffe://example.org/spire/agent/x509pop/{n:0240}": "b" for n in range(10_000)}
    document = BlocksDocument(version=1, blocks=blocks, spiffe_ids=agents | every)
    assert fitting(document) is document
    longer = msgspec.structs.replace(document, entries={f"{n:0250}": "b" for n in range(5_000)})
    short = fitting(longer)
    assert short.shortened
    assert short.blocks == blocks
    assert decode(encode(short)) == short
    assert (short.spiffe_ids, short.entries, short.serials, short.jtis) == (
        {"spiffe_id:x": "bspiffe_id", "agent:x": "bagent"},
        {"entry:x": "bentry"},
        {"serial:x": "bserial"},
        {"jti:x": "bjti"},
    )


def test_an_svid_is_named_with_the_block_that_ends_last() -> None:
    """An agent that is away when the first of them ends goes on refusing it."""
    entries, nodes = registered()
    blocks = [
        block(SubjectKind.SERIAL, "5", "serial", until=2000),
        block(SubjectKind.ENTRY, "e", "entry"),
        block(SubjectKind.AGENT, A, "agent", until=3000),
    ]
    reach = reach_of(blocks, entries, nodes)
    given = svid("5", entry_id="e", agent_id=str(A))
    assert reach.of(given) == "entry"
    assert reach.of(svid("5", agent_id=str(A))) == "agent"
    assert reach.of(svid("5", agent_id="")) == "serial"
    assert reach.of(svid("6", agent_id="")) == ""
    document = document_of(7, blocks, reach, [given], shortened=False)
    assert document.serials == {"5": "entry"}


def test_an_svid_stays_hit_by_the_selector_that_hit_it() -> None:
    """By the one of several that ends last, as long as it is blocked."""
    entries, nodes = registered()
    blocks = [
        block(SubjectKind.SELECTOR, "a:1", "long"),
        block(SubjectKind.SELECTOR, "b:1", "short", until=2000),
    ]
    reach = reach_of(blocks, entries, nodes)
    held = [Held(selector, SvidKind.X509, "5", 3000) for selector in ("b:1", "a:1", "b:1", "c:1")]
    reach.hold(held)
    given = svid("5", entry_id="gone", agent_id="")
    assert reach.of(given) == "long"
    assert reach.of(svid("5", kind=SvidKind.JWT, entry_id="gone", agent_id="")) == ""
    other = reach_of(blocks[1:], entries, nodes)
    other.hold(held)
    assert other.of(given) == "short"
