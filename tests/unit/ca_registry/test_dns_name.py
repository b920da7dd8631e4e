"""Which DNS names are fit for a certificate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ca.registry.admission.dns_name import judge_dns_name, judge_dns_names, judge_wildcards
from finial.spiffe.refusal import Kind, Refusal


@pytest.mark.parametrize(
    "good",
    [
        "web",
        "web.example.org",
        "*.example.org",
        "a-b.c-d.e",
        "1.2.3.4.in-addr.arpa",
        "xn--bcher-kva.example",
        "*.xn--bcher-kva.example",
        "a" * 63 + ".test",
        ".".join(["a" * 61] * 4) + ".test",
    ],
)
def test_ordinary_names_pass(good: str) -> None:
    """BE-04: lower-case labels, one leading wildcard and well-formed xn-- labels are good."""
    assert judge_dns_name(good) == good


@pytest.mark.parametrize(
    "bad",
    [
        "",
        ".",
        "*",
        "*.",
        "web.",
        ".web",
        "a..b",
        "*.*.test",
        "a.*.test",
        "w*.test",
        "**.test",
        "-a.test",
        "a-.test",
        "a_b.test",
        "Web.test",
        "bücher.test",
        "web.test\n",
        "a b.test",
        "a\0.test",
        "ab--c.test",
        "xn--.test",
        "xn--web-.test",
        "xn--a.test",
        "xn--bcher-KVA.test",
        "xn--99999999.test",
        "xn--4ca.test.",
        "\u212a.test",
        "1\u0661.test",
        "a" * 64 + ".test",
        ".".join(["a" * 62] * 4) + ".test",
    ],
)
def test_other_names_are_refused(bad: str) -> None:
    """BE-04: what a verifier could read in two ways is refused, naming the field."""
    with pytest.raises(Refusal) as caught:
        judge_dns_name(bad)
    assert caught.value.kind is Kind.INVALID
    assert caught.value.field == "dns_names"
    assert caught.value.remedy


def test_an_xn_label_has_only_the_one_spelling() -> None:
    """BE-04: a label whose text folds to another one is not well-formed."""
    for text in ("BÜCHER", "ﬁx", "a♥"):
        label = "xn--" + text.encode("punycode").decode().lower()
        with pytest.raises(Refusal):
            judge_dns_name(f"{label}.test")


def test_repeated_names_are_written_once_in_their_order() -> None:
    """BL-02: the first name becomes the common name, so that the order is kept."""
    assert judge_dns_names(["b.test", "a.test", "b.test"]) == ("b.test", "a.test")


def test_a_wildcard_covers_no_other_name_of_the_list() -> None:
    """A minted SVID names nothing twice; a wildcard covers one label only."""
    judge_wildcards(["*.a.test", "b.test", "x.y.a.test", "*.z.a.test", "web"])
    with pytest.raises(Refusal) as caught:
        judge_wildcards(["*.a.test", "x.a.test"])
    assert caught.value.value == "x.a.test"


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """Nothing but a value or a refusal comes out, and a value is pure lower-case ASCII."""
    try:
        found = judge_dns_name(text)
    except Refusal:
        return
    assert found == text
    assert found.isascii()
    assert found == found.lower()
