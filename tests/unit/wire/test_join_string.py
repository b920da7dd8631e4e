import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.join_string import PREFIX, JoinString, split_address

WHOLE = JoinString(TrustDomain("example.org"), ("ca.example.org:8081", "[::1]:8081"), "s3cret")


def _encoded(document: object) -> str:
    return PREFIX + base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


def test_what_was_rendered_is_parsed() -> None:
    """A join string survives being written, copied with white space, and read."""
    assert JoinString.parse(f" {WHOLE.render()}\n") == WHOLE


def test_it_is_one_word() -> None:
    """A join string holds nothing that a shell would touch."""
    assert all(char.isalnum() or char in "-_." for char in WHOLE.render())


def test_the_token_is_not_shown() -> None:
    """The representation of a join string withholds its token."""
    assert "s3cret" not in repr(WHOLE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "token",
        PREFIX,
        PREFIX + "!!!!",
        WHOLE.render()[:-9],
        PREFIX + "A" * 9000,
        _encoded([]),
        _encoded({}),
        _encoded({"trust_domain": "example.org", "token": ""}),
        _encoded({"trust_domain": "example.org", "token": "t", "servers": []}),
        _encoded({"trust_domain": "example.org", "token": "t", "servers": ["here"]}),
        _encoded({"trust_domain": "example.org", "token": "t", "servers": [1]}),
        _encoded({"trust_domain": "Example.org", "token": "t", "servers": ["a:1"]}),
    ],
)
def test_a_damaged_one_is_refused(text: str) -> None:
    """Whatever is not a whole join string is refused as invalid."""
    with pytest.raises(Refusal) as refused:
        JoinString.parse(text)
    assert refused.value.kind is Kind.INVALID


@given(st.text(max_size=200))
def test_any_text_is_a_value_or_a_refusal(text: str) -> None:
    """Reading a join string never ends in anything but a value or a refusal."""
    kinds = set()
    for candidate in (text, PREFIX + text):
        try:
            JoinString.parse(candidate)
        except Refusal as refused:
            kinds.add(refused.kind)
    assert kinds <= {Kind.INVALID}


def test_an_address_is_split() -> None:
    """An IPv6 address stands in brackets, which are not part of the host."""
    assert split_address("[2001:db8::1]:8081") == ("2001:db8::1", 8081)
    assert split_address("ca.example.org:8081") == ("ca.example.org", 8081)


@pytest.mark.parametrize("text", ["ca", "ca:0", "ca:65536", "::1:8081", "ca:80\n", ":8081"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """An address without host or with an impossible port is refused."""
    with pytest.raises(Refusal):
        split_address(text)
