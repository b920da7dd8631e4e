"""gRPC's message framing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.protocol.framing import Assembler, frame


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(1, 9)))
def test_messages_survive_any_cutting(messages: list[bytes], cuts: list[int]) -> None:
    """However a body is cut into parts, the messages that come out are those that went in."""
    body = b"".join(map(frame, messages))
    assembler, found, at = Assembler(100), [], 0
    for cut in [*cuts, len(body) + 1]:
        found += assembler.feed(body[at : at + cut])
        at += cut
    assert found == messages
    assert not assembler.is_amid


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_large_message_is_refused_by_its_prefix(cut: int) -> None:
    """Four hundred MiB are refused when they are announced, before any of them arrives."""
    assembler = Assembler(4 * 2**20)
    prefix = b"\0" + (400 * 2**20).to_bytes(4, "big")
    assembler.feed(prefix[: cut - 1])
    with pytest.raises(Refusal, match="419430400 bytes") as caught:
        assembler.feed(prefix[cut - 1 :])
    assert caught.value.kind is Kind.EXHAUSTED


def test_a_message_of_exactly_the_limit_passes() -> None:
    """The limit itself is allowed, one byte more is not."""
    assert Assembler(3).feed(frame(b"abc")) == [b"abc"]
    with pytest.raises(Refusal):
        Assembler(3).feed(frame(b"abcd"))


def test_a_compressed_message_is_refused() -> None:
    """No encoding is negotiated, so the flag that says compressed is wrong."""
    with pytest.raises(Refusal, match="compressed"):
        Assembler(3).feed(b"\1\0\0\0\1a")


def test_a_message_that_has_begun_is_noticed() -> None:
    """The end of a body amid a message or a prefix can be told from its end after one."""
    assembler = Assembler(10)
    assembler.feed(b"\0\0")
    assert assembler.is_amid
    assembler.feed(b"\0\0\1")
    assert assembler.is_amid
    assert assembler.feed(b"x") == [b"x"]
    assert not assembler.is_amid
