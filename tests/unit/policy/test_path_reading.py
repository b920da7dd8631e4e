"""How a request's path may be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finial.policy.grounds import Ground
from finial.policy.path.reading import MAX_PATH, read_path

AMBIGUOUS = Ground.PATH_AMBIGUOUS
ENCODING = Ground.PATH_ENCODING
CHARACTERS = Ground.PATH_CHARACTERS
RELATIVE = Ground.PATH_NOT_ABSOLUTE

VECTORS: dict[str, tuple[str, ...] | Ground] = {
    # Plain paths are what they are.
    "/": ("/",),
    "/transaction/1": ("/transaction/1",),
    "/transaction/": ("/transaction/",),
    "/a.b/.well-known/..a/...": ("/a.b/.well-known/..a/...",),
    "/pkg.Service/Method": ("/pkg.Service/Method",),
    "/~me/a-b_c!$&'()*+,=:@": ("/~me/a-b_c!$&'()*+,=:@",),
    "/A": ("/A",),
    # The query belongs to nobody's path, whatever is in it.
    "/a?b": ("/a",),
    "/a?b=/../c;d//#%zz\\": ("/a",),
    "/a??": ("/a",),
    "/?": ("/",),
    # Percent-encoding is undone, once.
    "/%61": ("/a",),
    "/%7Euser": ("/~user",),
    "/a%20b": ("/a b",),
    "/caf%C3%A9": ("/caf\u00e9",),
    "/caf%c3%a9": ("/caf\u00e9",),
    "/100%25": ("/100%",),
    "/%2A": ("/*",),
    "/%3F%23": ("/?#",),
    "/a%2eb": ("/a.b",),
    '/"<>^`{|}': ('/"<>^`{|}',),
    # Broken encodings.
    "/%": ENCODING,
    "/%4": ENCODING,
    "/%zz": ENCODING,
    "/%u0041": ENCODING,
    "/%FF": ENCODING,
    "/%C0%AF": ENCODING,
    "/%C0%AE%C0%AE/": ENCODING,
    "/%ED%A0%80": ENCODING,
    # What only an attack looks like.
    "/a%2Fb": AMBIGUOUS,
    "/a%2fb": AMBIGUOUS,
    "/..%2fadmin": AMBIGUOUS,
    "/a%5Cb": AMBIGUOUS,
    "/a%00": AMBIGUOUS,
    "/a%0d%0a": AMBIGUOUS,
    "/a%7f": AMBIGUOUS,
    "/a%C2%85": AMBIGUOUS,
    "/%252e%252e/admin": AMBIGUOUS,
    "/%252F": AMBIGUOUS,
    "/a%2561": AMBIGUOUS,
    "/%2e": AMBIGUOUS,
    "/%2e%2e/admin": AMBIGUOUS,
    "/.%2E/admin": AMBIGUOUS,
    "/a#b": AMBIGUOUS,
    "/a#b?c": AMBIGUOUS,
    # Dot segments: as written, and without them.
    "/a/./b": ("/a/./b", "/a/b"),
    "/a/../b": ("/a/../b", "/b"),
    "/a/b/../../c/": ("/a/b/../../c/", "/c/"),
    "/./a": ("/./a", "/a"),
    "/a/../%20": ("/a/../ ", "/ "),
    "/../a": AMBIGUOUS,
    "/a/../../b": AMBIGUOUS,
    "/a/..": AMBIGUOUS,
    "/a/.": AMBIGUOUS,
    "/.": AMBIGUOUS,
    # Doubled slashes.
    "//": ("//", "/"),
    "//a?b": ("//a", "/", "/a"),
    "//a": ("//a", "/", "/a"),
    "//a/b": ("//a/b", "/b", "/a/b"),
    "//example.org:80/b/": ("//example.org:80/b/", "/b/", "/example.org:80/b/"),
    "//a//b": ("//a//b", "//b", "/a/b", "/b"),
    "///a": ("///a", "/a"),
    "/a//b": ("/a//b", "/a/b"),
    "/a///b//": ("/a///b//", "/a/b/"),
    # Parameters of segments.
    "/a;b/c": ("/a;b/c", "/a/c"),
    "/a;b=c;d/e;f": ("/a;b=c;d/e;f", "/a/e"),
    "/a%3Bb/c": ("/a;b/c", "/a/c"),
    "/;a": ("/;a", "/"),
    "/a/;b/c": AMBIGUOUS,
    "/..;/admin": AMBIGUOUS,
    "/a/..;x=1/b": AMBIGUOUS,
    # Two such things in one path.
    "/a//../b": AMBIGUOUS,
    "/a;x//b": AMBIGUOUS,
    "/a;x/../b": AMBIGUOUS,
    "/.//a": AMBIGUOUS,
    # No path at all.
    "": RELATIVE,
    "*": RELATIVE,
    "a": RELATIVE,
    "?/a": RELATIVE,
    "http://example.org/a": RELATIVE,
    "%2Fa": RELATIVE,
    "\\a": RELATIVE,
    # Characters that no URL has.
    "/a b": CHARACTERS,
    "/a\\b": CHARACTERS,
    "/a\n": CHARACTERS,
    "/a\x00": CHARACTERS,
    "/a\x7f": CHARACTERS,
    "/caf\u00e9": CHARACTERS,
    "/\ud800": CHARACTERS,
    "/\uff0e\uff0e/a": CHARACTERS,
}


@pytest.mark.parametrize(("target", "read"), VECTORS.items(), ids=range(len(VECTORS)))
def test_a_target_is_read_as_servers_do_or_not_at_all(
    target: str, read: tuple[str, ...] | Ground
) -> None:
    """A path has the readings that servers give it; one that only attackers write has none."""
    assert read_path(target) == read


def test_a_path_is_bounded_without_its_query() -> None:
    """A path of 8192 characters is read, one more is not, and a query does not count."""
    longest = "/" + "a" * (MAX_PATH - 1)
    assert read_path(f"{longest}?{'b' * 100_000}") == (longest,)
    assert read_path(longest + "a") is Ground.PATH_TOO_LONG
    assert read_path("/" + "%61" * MAX_PATH) is Ground.PATH_TOO_LONG


ODD = st.text(alphabet="ab./;%2eEfF5cC?#\\ \u00e9", max_size=24)


@given(ODD)
def test_no_text_breaks_the_reading(text: str) -> None:
    """Any text at all gives readings or a ground; a last reading is tidy, and tidy for good."""
    for target in (text, "/" + text):
        found = read_path(target)
        if isinstance(found, Ground):
            continue
        assert 1 <= len(found) <= 4
        assert all(each.startswith("/") and "\\" not in each for each in found)
        segments = found[-1].split("/")
        assert ";" not in found[-1]
        assert "//" not in found[-1]
        assert not {".", ".."} & set(segments)


@given(st.lists(st.text(alphabet="ab.~-_%20", min_size=1, max_size=6), max_size=5))
def test_a_plain_path_has_one_reading(segments: list[str]) -> None:
    """The quick way and the long way agree about paths that need no tidying."""
    path = "".join(f"/{each}" for each in segments) or "/"
    quick = read_path(path)
    slow = read_path(path.replace("a", "%61"))
    assert quick == slow
