"""Reading the header by which a proxy tells of the certificate that it saw."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.access.forwarded import MAX_ELEMENTS, MAX_HEADER, Element, read_forwarded


@pytest.mark.parametrize(
    ("header", "elements"),
    [
        ("URI=a", [("a",)]),
        ("By=x;Hash=y;URI=a", [("a",)]),
        ("uri=a;URI=b", [("a", "b")]),
        ("URI=;Hash=y", [()]),
        ("Hash=y", [()]),
        ("URI=a,URI=b", [("a",), ("b",)]),
        ("URI=a, URI=b", [("a",), ("b",)]),
        ('Subject="CN=a,O=b;c=\\"d\\"";URI=a', [("a",)]),
        ('URI="a,b"', [("a,b",)]),
    ],
)
def test_elements_are_told_apart(header: str, elements: list[tuple[str, ...]]) -> None:
    """Commas divide elements and semicolons pairs, but not within quotes."""
    assert [each.uris for each in read_forwarded(header) or ()] == elements


def test_the_certificate_is_kept() -> None:
    """It is in percent-encoding, and in quotes."""
    assert read_forwarded('URI=a;Cert="-----BEGIN%20"') == (Element(("a",), "-----BEGIN%20"),)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        "URI",
        "URI=a,",
        ",URI=a",
        ";",
        "URI=a;",
        'URI="a',
        "=a",
        "URI=a;;URI=b",
        "ü=a",
    ],
)
def test_what_is_no_such_header_is_nothing(header: str) -> None:
    """Half a header is not believed."""
    assert read_forwarded(header) is None


def test_it_is_bounded() -> None:
    """In its length, and in how many proxies there may be."""
    assert read_forwarded("URI=" + MAX_HEADER * "a") is None
    assert read_forwarded(",".join(MAX_ELEMENTS * ["URI=a"])) is not None
    assert read_forwarded(",".join((MAX_ELEMENTS + 1) * ["URI=a"])) is None


@given(st.text(max_size=60))
def test_no_text_is_too_much_for_it(header: str) -> None:
    """Whatever is sent, it is read or not, and nothing else happens."""
    found = read_forwarded(header)
    assert found is None or all(isinstance(each, Element) for each in found)
