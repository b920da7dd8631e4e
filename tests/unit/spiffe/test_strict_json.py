"""JSON that two readers cannot read in two ways."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finial.spiffe.json.strict_json import MAX_DEPTH, loads, loads_object
from finial.spiffe.refusal import Kind, Refusal


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b'{"a":1,"a":1}', "name twice"),
        (b'[{"b":{"a":1,"a":2}}]', "name twice"),
        (b'{"a":1,"\\u0061":1}', "name twice"),
        (b"NaN", "does not know"),
        (b"[-Infinity]", "does not know"),
        (b"1e999", "out of range"),
        (b"-1e999", "out of range"),
        (b"9" * 5000, "not JSON"),
        (b"", "not JSON"),
        (b"{} {}", "not JSON"),
        (b'"\n"', "not JSON"),
        (b"'a'", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'"\xff"', "not UTF-8"),
        (b'"\\ud800"', "lone surrogate"),
        (b'{"a":["\\uDFFF"]}', "lone surrogate"),
        (b'{"\\ud800":1}', "lone surrogate"),
        (b"[" * 40, "nests deeper"),
        (b"[" * 1_000_000, "nests deeper"),
        (b'{"a":' * 40, "nests deeper"),
        (b"[[]," * 16 + b"[[" * 10, "nests deeper"),
        (b'["]]]]]]","' + b'[",' * 40, "not JSON"),
        (b'"' + b'\\"[' * 1000, "not JSON"),
    ],
    ids=range(23),
)
def test_what_can_be_read_in_two_ways_is_refused(document: bytes, reason: str) -> None:
    """TDB-21: duplicate names, numbers that JSON does not know, stray surrogates and endless nesting are refused."""
    with pytest.raises(Refusal, match=reason) as refused:
        loads(document)
    assert refused.value.kind is Kind.INVALID


def test_the_name_that_comes_twice_is_named() -> None:
    """TDB-21: the refusal names the name that comes twice."""
    with pytest.raises(Refusal) as refused:
        loads(b'{"x":1,"y":1,"y":2}')
    assert refused.value.value == "y"


def test_a_name_that_comes_twice_is_found_in_one_pass() -> None:
    """TDB-21: among a hundred thousand names the one that comes twice is found as fast as read."""
    names = ",".join(f'"n{number}":0' for number in range(100_000))
    with pytest.raises(Refusal) as refused:
        loads(f'{{{names},"n99999":0}}'.encode())
    assert refused.value.value == "n99999"


def test_what_json_allows_is_read() -> None:
    """TDB-21: nesting up to the bound, surrogate pairs, large integers and any brackets in texts are read."""
    deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert loads(deep) is not None
    assert loads(b"[[],[]," + deep[1:]) is not None
    assert loads(b'["\\ud83d\\ude00", 18446744073709551616, 1.5]') == ["\U0001f600", 2**64, 1.5]
    assert loads(b'["' + b"[" * 100 + b'\\"[[", "]"]') == ["[" * 100 + '"[[', "]"]
    assert loads(b'{"a":{"\\ud83d\\ude00":[null,true]}}') == {"a": {"\U0001f600": [None, True]}}


def test_a_document_is_bounded() -> None:
    """TDB-21: a document longer than its bound is refused before it is read."""
    with pytest.raises(Refusal, match="longer than 10 bytes"):
        loads(b" " * 11, max_bytes=10)
    assert loads(b"1".ljust(10), max_bytes=10) == 1


@pytest.mark.parametrize("document", [b"[]", b"1", b'"a"', b"null"])
def test_an_object_is_asked_for(document: bytes) -> None:
    """TDB-13: where an object has to be, nothing else is taken."""
    with pytest.raises(Refusal, match="not an object"):
        loads_object(document)
    assert loads_object(b'{"a":1}') == {"a": 1}


@given(
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(),
        ),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
        max_leaves=20,
    )
)
def test_any_json_comes_back_as_it_was(content: Any) -> None:
    """TDB-21: whatever the library writes is read back, escaped or not."""
    for escaped in (True, False):
        assert loads(json.dumps(content, ensure_ascii=escaped).encode()) == content


@given(st.one_of(st.binary(), st.text(alphabet='[]{}":,\\ u0d8').map(str.encode)))
def test_any_bytes_are_json_or_refused(noise: bytes) -> None:
    """TDB-21: whatever bytes are given, the outcome is a value or a refusal."""
    try:
        loads(noise)
    except Refusal as refusal:
        assert refusal.kind is Kind.INVALID  # noqa: PT017
