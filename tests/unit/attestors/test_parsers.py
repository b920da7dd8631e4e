"""Whatever a stranger sends, the attestors' parsers give a value or a refusal."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestors.node.join_token import payload as join_token
from attestors.node.x509pop import path_template, payload
from attestors.workload.unix.credentials import Credentials, Unreadable
from finial.runtime.duration import parse_duration, render_duration
from finial.runtime.reporting.logging import neutralise
from finial.spiffe.refusal import Kind, Refusal

KNOWN = ["certificates", "rsa_signature", "ecdsa_signature", "nonce", "signature", "r", "s"]
NAMES = st.sampled_from(KNOWN) | st.text(max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(NAMES, each, max_size=4),
    max_leaves=8,
)
PARSERS: list[Callable[[bytes], Any]] = [
    payload.decode_certificates,
    payload.decode_question,
    payload.decode_proof,
    join_token.decode,
]


def judged(parser: Callable[[bytes], Any], document: bytes) -> None:
    try:
        parser(document)
    except Refusal as refusal:
        if refusal.kind is not Kind.INVALID:
            raise


@pytest.mark.parametrize("parser", PARSERS)
@given(document=st.binary(max_size=200))
def test_bytes_are_read_or_refused(parser: Callable[[bytes], Any], document: bytes) -> None:
    """Any bytes make a value or a refusal of kind INVALID."""
    judged(parser, document)


@pytest.mark.parametrize("parser", PARSERS)
@given(document=JSON)
def test_documents_are_read_or_refused(parser: Callable[[bytes], Any], document: Any) -> None:
    """Any JSON makes a value or a refusal of kind INVALID."""
    judged(parser, json.dumps(document).encode())


@given(
    nonce=st.binary(min_size=32, max_size=32), r=st.integers(1, 2**521), s=st.integers(1, 2**521)
)
def test_proofs_survive_their_encoding(nonce: bytes, r: int, s: int) -> None:
    """Whatever numbers a signature consists of, they are read as they were written."""
    proof = payload.EcdsaProof(nonce, r, s)
    assert payload.decode_proof(payload.encode_proof(proof)) == proof


@given(status=st.binary(max_size=200) | st.text("NUGidrops:\n\t 0129-").map(str.encode))
def test_a_status_is_read_or_unreadable(status: bytes) -> None:
    """A process's status makes credentials or is unreadable."""
    try:
        Credentials.parse(status)
    except Unreadable:
        return


@given(value=st.text(max_size=20))
def test_a_filled_template_is_one_path(value: str) -> None:
    """Whatever a certificate says, a template never gets another segment from it."""
    try:
        path = path_template.render("/x509pop/{subject_cn}", {"subject_cn": value})
    except Refusal:
        return
    assert path.count("/") == 2
    assert path.isascii()
    assert path.isprintable()


@given(text=st.text(max_size=40))
def test_what_is_logged_is_one_harmless_line(text: str) -> None:
    """Whatever somebody sends, a log line holds nothing that a terminal would obey."""
    line = neutralise(text)
    assert line.isprintable() or not line
    assert neutralise(line) == line


@given(seconds=st.integers(0, 10**9))
def test_durations_survive_their_text(seconds: int) -> None:
    """Whole seconds are written and read back as the same."""
    assert parse_duration(render_duration(seconds)) == seconds


@given(text=st.text("0123456789hms. -+e", max_size=20))
def test_a_duration_is_read_or_refused(text: str) -> None:
    """Any text is a duration that is finite and not negative, or a ValueError."""
    try:
        assert 0 <= parse_duration(text) < float("inf")
    except ValueError:
        return
