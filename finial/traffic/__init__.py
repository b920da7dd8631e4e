"""Who called whom, as agents tell their server: a bounded record, without what callers chose."""

from finial.traffic.document import Cursor, TrafficDocument, decode, decode_cursor, encode
from finial.traffic.row import Means, Outcome, Row

__all__ = [
    "Cursor",
    "Means",
    "Outcome",
    "Row",
    "TrafficDocument",
    "decode",
    "decode_cursor",
    "encode",
]
