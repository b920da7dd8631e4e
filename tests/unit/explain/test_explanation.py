"""The document that travels."""

import pytest

from finial.explain.explanation import (
    MAX_DOCUMENT,
    Explanation,
    Outcome,
    ProcessReport,
    decode_explanation,
)
from finial.spiffe.refusal import Kind, Refusal

SHORT = Explanation(
    agent_id="spiffe://example.org/spire/agent/a",
    process=ProcessReport(pid=1, uid=2, gid=3),
    outcome=Outcome.SERVED,
    first_at=1.0,
    last_at=1.0,
)


def test_what_is_empty_is_left_out() -> None:
    """The JSON has no members that say nothing, and is read back as it was."""
    assert b"refusal" not in SHORT.encoded()
    assert decode_explanation(SHORT.encoded()) == SHORT


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b"\xff", b'{"agent_id":1}', b" " * (MAX_DOCUMENT + 1)]
)
def test_what_is_no_explanation_is_refused(document: bytes) -> None:
    """Whatever another process sends in its place is refused, and so is what is too large."""
    with pytest.raises(Refusal) as caught:
        decode_explanation(document)
    assert caught.value.kind is Kind.INVALID
