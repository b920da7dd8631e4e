"""The document of blocks, and what is asked of it."""

import pytest

from finial.blocks import (
    MAX_DOCUMENT,
    NOTHING_BLOCKED,
    Block,
    Blocks,
    BlocksDocument,
    Crl,
    SubjectKind,
    decode,
    encode,
)
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector

ORDERS = SpiffeId.parse("spiffe://example.org/orders")
WEB = SpiffeId.parse("spiffe://example.org/web")
LEAKED = Block("b1", SubjectKind.SPIFFE_ID, str(ORDERS), "key leaked", since=100)
SHORT = Block("b2", SubjectKind.SELECTOR, "unix:uid:7", "bad image", since=100, until=200)
DOCUMENT = BlocksDocument(
    version=5,
    blocks=(LEAKED, SHORT),
    spiffe_ids={str(ORDERS): "b1"},
    entries={"e1": "b2"},
    selectors={"unix:uid:7": "b2"},
    serials={"42": "b1"},
    jtis={"j": "b1"},
    crls=(Crl("aabb", b"\x30\x00", 900),),
)


def test_document_travels_as_json() -> None:
    """What was encoded is decoded as it was; who blocked is no part of what agents get."""
    assert decode(encode(DOCUMENT)) == DOCUMENT
    assert b"who" not in encode(DOCUMENT)


def test_members_of_a_later_server_are_passed_over() -> None:
    """An older agent reads what it knows."""
    assert decode(b'{"version":7,"weather":"fine"}') == BlocksDocument(version=7)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"version":"x"}', b"\xff\xfe", b'{"version":1,"blocks":[{"id":"a"}]}'],
)
def test_what_is_no_document_is_refused(content: bytes) -> None:
    """Nothing in doubt is taken for a document that blocks nothing."""
    with pytest.raises(Refusal) as refused:
        decode(content)
    assert refused.value.kind is Kind.INVALID


def test_document_is_bounded() -> None:
    """What no message could hold is not even read."""
    with pytest.raises(Refusal) as refused:
        decode(b" " * (MAX_DOCUMENT + 1))
    assert "longer than" in refused.value.detail


def test_each_name_leads_to_its_block() -> None:
    """Identity, entry, selector, serial number and JWT id are each found by what they are."""
    blocks = Blocks(DOCUMENT)
    assert blocks.of_id(ORDERS, 150) is LEAKED
    assert blocks.of_id(WEB, 150) is None
    assert blocks.of_entry("e1", WEB, 150) is SHORT
    assert blocks.of_entry("e2", ORDERS, 150) is LEAKED
    assert blocks.of_entry("e2", WEB, 150) is None
    shown = (Selector("unix", "gid:7"), Selector("unix", "uid:7"))
    assert blocks.of_selectors(shown, 150) is SHORT
    assert blocks.of_selectors(shown[:1], 150) is None
    assert blocks.of_serial(42, 150) is LEAKED
    assert blocks.of_serial("43", 150) is None
    assert blocks.of_jti("j", 150) is LEAKED
    assert (blocks.version, blocks.crls, blocks.blocks) == (5, DOCUMENT.crls, DOCUMENT.blocks)


def test_block_ends_by_itself() -> None:
    """An agent that is cut off lifts a block when its time has come, and not before."""
    blocks = Blocks(DOCUMENT)
    assert blocks.of_entry("e1", WEB, 199.9) is SHORT
    assert blocks.of_entry("e1", WEB, 200) is None
    assert blocks.of_id(ORDERS, 2**40) is LEAKED


def test_nothing_is_blocked_at_first() -> None:
    """Without a document every answer is no."""
    assert not NOTHING_BLOCKED
    assert Blocks(DOCUMENT)
    assert NOTHING_BLOCKED.of_id(ORDERS, 0) is None
    assert NOTHING_BLOCKED.of_selectors([Selector("unix", "uid:7")], 0) is None


def test_block_says_why() -> None:
    """Whoever meets a block is told its reason."""
    assert LEAKED.sentence == "is blocked: key leaked"
