"""What travels: the rows that changed since the server looked last, with their whole counts.

A row says how often something was since the row began, never how often since the last time. So an
answer that is lost, or comes twice, makes no count wrong.
"""

from typing import Annotated, Final

import msgspec

from finial.spiffe.refusal import Kind, Refusal
from finial.traffic.row import Count, Row

MAX_DOCUMENT: Final = 1024 * 1024
"""Bytes of a document."""

MAX_ROWS: Final = 1000
"""Rows of a document; further ones come with the next."""

Epoch = Annotated[str, msgspec.Meta(max_length=64)]


class Cursor(msgspec.Struct, frozen=True, gc=False):
    """How far a server has read: `after` is a turn of that epoch."""

    epoch: Epoch = ""
    after: Count = 0

    def encoded(self) -> bytes:
        """Write it as JSON."""
        return msgspec.json.encode(self)


class TrafficDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that changed after a cursor, those that changed first at the beginning.

    `epoch` is another one each time the record begins anew. `turn` is where to go on, `more` says
    that it is worth it at once. `since` is when the record began, in Unix seconds, `forgotten` how
    many pairs it had no room for any more.
    """

    epoch: Epoch
    turn: Count
    since: float
    rows: tuple[Row, ...] = ()
    more: bool = False
    forgotten: Count = 0

    @property
    def cursor(self) -> Cursor:
        """Where to go on."""
        return Cursor(self.epoch, self.turn)


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(TrafficDocument)
_cursors: Final = msgspec.json.Decoder(Cursor)


def encode(document: TrafficDocument) -> bytes:
    """Write a document as JSON."""
    return _encoder.encode(document)


def decode(content: bytes) -> TrafficDocument:
    """Read what an agent wrote; members that a later one adds are passed over.

    Raises: Refusal of kind INVALID.
    """
    if len(content) > MAX_DOCUMENT:
        raise Refusal(Kind.INVALID, f"the record of traffic is longer than {MAX_DOCUMENT} bytes")
    try:
        document = _decoder.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(Kind.INVALID, f"the record of traffic is none: {error}") from None
    if len(document.rows) > MAX_ROWS:
        raise Refusal(Kind.INVALID, f"the record of traffic has more than {MAX_ROWS} rows")
    return document


def decode_cursor(content: bytes) -> Cursor:
    """Read what a server asks for.

    Raises: Refusal of kind INVALID.
    """
    try:
        return _cursors.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refusal(Kind.INVALID, f"the question about traffic is none: {error}") from None
