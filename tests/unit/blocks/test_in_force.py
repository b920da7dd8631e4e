"""Which blocks hold at an instant, and when the next one ends."""

from finial.blocks import NOTHING_BLOCKED, Block, Blocks, BlocksDocument, SubjectKind

LASTING = Block("a", SubjectKind.ENTRY, "e1", "leaked", since=100)
SHORT = Block("b", SubjectKind.ENTRY, "e2", "leaked", since=100, until=200)
SHORTER = Block("c", SubjectKind.ENTRY, "e3", "leaked", since=100, until=150)
ALL = Blocks(BlocksDocument(version=1, blocks=(LASTING, SHORT, SHORTER)))


def test_blocks_hold_until_they_end() -> None:
    """One without an end holds for ever; one with an end does not hold at that second."""
    assert ALL.holding(149) == (LASTING, SHORT, SHORTER)
    assert ALL.holding(150) == (LASTING, SHORT)
    assert ALL.holding(1000) == (LASTING,)


def test_the_next_end_is_known() -> None:
    """The nearest one that is yet to come, 0 if there is none."""
    assert [ALL.next_end(now) for now in (100, 150, 200)] == [150, 200, 0]
    assert NOTHING_BLOCKED.next_end(100) == 0


def test_a_document_says_whether_it_names_everything() -> None:
    """Serial numbers and JWT ids may be too many for one document."""
    assert not ALL.is_shortened
    assert Blocks(BlocksDocument(version=1, shortened=True)).is_shortened
