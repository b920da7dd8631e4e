"""The document that travels."""

import msgspec
import pytest

from finial.explain.explanation import (
    MAX_DOCUMENT,
    AttestorReport,
    EntryReport,
    Explanation,
    Fix,
    MissingSelector,
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


def test_what_is_too_long_is_shortened_and_says_so() -> None:
    """Whatever labels and entries hold, the document is one that everybody reads."""
    long, many = "docker:label:k:" + "\x7f\U0001f600" * 2000, ("unix:uid:1",)
    missing = tuple(MissingSelector(wanted=long, closest=long, why=long) for _ in range(4))
    entry = EntryReport(id="e" * 400, spiffe_id="spiffe://a/b", selectors=many * 9, missing=missing)
    whole = msgspec.structs.replace(
        SHORT,
        attestors=(AttestorReport(name="docker", status="attested", selectors=(long, *many)),) * 9,
        matches=(entry,) * 30,
        nearest=(entry,) * 2,
        causes=(long,) * 30,
        fixes=(Fix(what=long, command=f"finial {long}"), Fix(what="wait", command="finial doctor")),
    )
    told = decode_explanation(whole.encoded())
    assert told.shortened
    assert told.attestors[0].selectors == many
    assert told.matches[0].id == entry.id
    assert told.causes[0].startswith("docker:label:k:")
    assert [each.command for each in told.fixes] == ["", "finial doctor"]
    assert not decode_explanation(SHORT.encoded()).shortened
