"""What agents and servers read of each other about traffic."""

import pytest
from msgspec.structs import replace

from finial.spiffe.refusal import Kind, Refusal
from finial.traffic import Row, TrafficDocument, decode, decode_cursor, encode
from finial.traffic.document import MAX_DOCUMENT, MAX_ROWS

ROW = Row(means="mtls", outcome="denied", first_at=1.0, last_at=2.0, count=3, born=4)


def test_a_document_is_read_as_it_was_written() -> None:
    """Nothing is lost on the way."""
    document = TrafficDocument(epoch="e", turn=9, since=1.5, rows=(ROW,), more=True, forgotten=2)
    assert decode(encode(document)) == document
    assert decode_cursor(document.cursor.encoded()) == document.cursor


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"epoch":"e","turn":-1,"since":0}',
        b'{"epoch":"e","turn":1,"since":"x"}',
        b'{"epoch":"' + b"e" * 65 + b'","turn":1,"since":0}',
        encode(TrafficDocument(epoch="e", turn=1, since=0.0, rows=(ROW,))).replace(b"mtls", b"tls"),
        encode(TrafficDocument(epoch="e", turn=1, since=0.0, rows=(ROW,))).replace(b"denied", b"?"),
        encode(TrafficDocument(epoch="e", turn=1, since=0.0, rows=(ROW,) * (MAX_ROWS + 1))),
        encode(
            TrafficDocument(epoch="e", turn=1, since=0.0, rows=(replace(ROW, first_at=-1e300),))
        ),
        encode(TrafficDocument(epoch="e", turn=1, since=0.0, rows=(replace(ROW, last_at=1e300),))),
        b" " * (MAX_DOCUMENT + 1),
        b"[" * 100_000,
    ],
)
def test_what_is_no_document_is_refused(content: bytes) -> None:
    """An agent's word is bounded and judged, whatever it is."""
    with pytest.raises(Refusal) as caught:
        decode(content)
    assert caught.value.kind is Kind.INVALID


@pytest.mark.parametrize("time", [b"-1e300", b"-1", b"253402300800", b"1e300"])
@pytest.mark.parametrize("member", [b'"first_at":1.0', b'"last_at":2.0'])
def test_a_time_that_is_no_date_is_refused(member: bytes, time: bytes) -> None:
    """One agent that lies about time makes the list of all others no error."""
    content = encode(TrafficDocument(epoch="e", turn=1, since=0.0, rows=(ROW,)))
    assert member in content
    with pytest.raises(Refusal, match="the record of traffic is none"):
        decode(content.replace(member, member.partition(b":")[0] + b":" + time))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"after":-1}', b'{"epoch":1}', b"\xff"])
def test_what_is_no_question_is_refused(content: bytes) -> None:
    """The other direction is judged as well."""
    with pytest.raises(Refusal):
        decode_cursor(content)
