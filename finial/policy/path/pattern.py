"""Which paths a rule speaks of: one, all below a prefix, or with a star for a segment."""

from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import quote

from finial.policy.grounds import Ground
from finial.policy.path.reading import read_path
from finial.spiffe.refusal import Kind, Refusal

MAX_SEGMENTS: Final = 15
"""Segments of a pattern that has a star before its end."""

PLACES: Final = MAX_SEGMENTS + 1
"""Segments of a path that Cedar is told with their places; a slash at the end makes one more."""

_STAR: Final = "*"
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
# Stands for a star while the rest of a pattern is read as a path; no percent sign gives it.
_PLACE: Final = "-"


@dataclass(frozen=True, slots=True, order=True)
class PathPattern:
    """The decoded segments of a path, None standing for any one segment.

    With `rest` everything below the last segment belongs to it, too: `/a/*` matches `/a/`, `/a/b`
    and `/a/b/c`, but not `/a`.
    """

    segments: tuple[str | None, ...]
    rest: bool = False
    literal: str = field(init=False, repr=False, compare=False)
    """The path before the first star, without a slash at its end if a star follows."""

    def __post_init__(self) -> None:
        cut = self.segments.index(None) if self.has_star_inside else len(self.segments)
        literal = "".join(f"/{each}" for each in self.segments[:cut])
        object.__setattr__(self, "literal", literal)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a path whose stars are whole segments; the last one stands for all that follows.

        Other characters may be percent-encoded (`%2A` is a star that is meant), or not.

        Raises: Refusal of kind INVALID: also a path as which no request is ever read.
        """
        pieces = text.split("/")
        if any(_STAR in piece and piece != _STAR for piece in pieces):
            raise _invalid(
                text, "a star stands for a whole segment", "write %2A if the character is meant"
            )
        plain = "/".join(_PLACE if piece == _STAR else piece for piece in pieces)
        read = _one_reading(text, plain).split("/")[1:]
        stars = [piece == _STAR for piece in pieces[1:]]
        rest = stars[-1]
        segments = [None if star else each for star, each in zip(stars, read, strict=True)]
        if rest:
            segments.pop()
        if None in segments and len(segments) > MAX_SEGMENTS:
            raise _invalid(
                text,
                f"a pattern with a star inside has at most {MAX_SEGMENTS} segments",
                "end it with a star instead",
            )
        return cls(tuple(segments), rest)

    @property
    def has_star_inside(self) -> bool:
        """Whether a star stands before the end."""
        return None in self.segments

    @property
    def is_exact(self) -> bool:
        """Whether it has no star at all."""
        return not self.rest and not self.has_star_inside

    def matches(self, path: str) -> bool:
        """Whether one reading of a path belongs to it."""
        if not self.has_star_inside:
            return path.startswith(self.literal + "/") if self.rest else path == self.literal
        segments = path.split("/")[1:]
        if self.rest:
            enough = len(segments) > len(self.segments)
        else:
            enough = len(segments) == len(self.segments)
        pairs = zip(self.segments, segments, strict=False)
        return enough and all(wanted in (None, given) for wanted, given in pairs)

    def with_other_end(self) -> tuple[Self, ...]:
        """The pattern, and the one with or without a slash at the end, which many servers equate.

        The root and patterns that end with a star have no other.
        """
        if self.rest or self.segments == ("",):
            return (self,)
        bare = self.segments[:-1] if self.segments[-1] == "" else (*self.segments, "")
        return self, type(self)(bare)

    def __str__(self) -> str:
        shown = (_STAR if each is None else _escaped(each) for each in self.segments)
        return "".join(f"/{each}" for each in shown) + ("/*" if self.rest else "")


def _one_reading(text: str, plain: str) -> str:
    if "?" in plain or "#" in plain:
        raise _invalid(text, "a rule's path has no query", "leave out what follows the path")
    found = read_path(quote(plain, safe=_ASCII))
    if isinstance(found, Ground):
        raise _invalid(text, f"it can never match: {found.sentence}", "write the path plainly")
    if len(found) > 1:
        fault = "it can never match: such a path has several readings, with and without that"
        raise _invalid(text, fault, "leave out ';', '//' and dot segments")
    return found[0]


def _escaped(segment: str) -> str:
    return quote(segment, safe="!$&'()+,=:@")


def _invalid(text: str, fault: str, remedy: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field="paths", value=ascii(text[:80])[1:-1], remedy=remedy)
