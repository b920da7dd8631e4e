"""The status of one item of a batch; the call itself is OK."""

from typing import Final

from finial.spiffe.refusal import Refusal
from finial.wire.pb import types_pb2
from finial.wire.status import code_of

OK: Final = types_pb2.Status(code=0, message="OK")


def item_status(refusal: Refusal) -> types_pb2.Status:
    """Say why an item was refused; clients compare the text, so it has no remedy behind it."""
    return types_pb2.Status(code=code_of(refusal.kind), message=refusal.detail)
