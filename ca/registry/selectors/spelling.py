"""The selector that somebody may have meant who wrote one that does not exist."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher, get_close_matches
from typing import Final

from ca.registry.selectors.vocabulary import SelectorType
from finial.spiffe.selector import Selector

_LONGEST: Final = 256
_HANDLES: Final = re.compile(r"[-_ .]")


def nearest(wrong: Selector, types: Mapping[str, SelectorType]) -> Selector | None:
    """Find the nearest selector that one of these types gives, or none.

    A value that is too long for people to have written is not thought about.
    """
    if len(wrong.value) > _LONGEST or len(wrong.type) > _LONGEST:
        return None
    for type_, value in _variants(wrong, types):
        known = types.get(type_)
        if known is not None and value and known.has(value):
            return Selector(type_, value)
    return None


def _variants(wrong: Selector, types: Mapping[str, SelectorType]) -> Iterator[tuple[str, str]]:
    """What may have been meant, the likeliest first."""
    name, _, rest = wrong.value.partition(":")
    own = types.get(wrong.type)
    if own is not None:
        yield from ((own.name, value) for value in _spelt(wrong.value, own))
        if own.forms and name in own.forms:
            # The value may be one of another form, as the user's name is under uid.
            yield from ((own.name, f"{form}:{rest}") for form in _likest(name, own.forms))
    for type_ in _close(wrong.type, types):
        yield type_, wrong.value
        yield from ((type_, value) for value in _spelt(wrong.value, types[type_]))
    for type_, known in types.items():
        # The type was left out, or is another attestor's.
        if known.forms is not None and wrong.type in known.forms:
            yield type_, f"{wrong.type}:{wrong.value}"
        if known.forms is not None and _close(name, known.forms):
            yield from ((type_, value) for value in _spelt(wrong.value, known))


def _spelt(value: str, known: SelectorType) -> Iterator[str]:
    """The value under the nearest names of a form, as it is, trimmed and in lower case."""
    name, _, rest = value.partition(":")
    for form in _close(name, known.forms or ()):
        for kept in dict.fromkeys((rest, rest.strip(), rest.strip().lower())):
            yield f"{form}:{kept}"


def _likest(name: str, forms: Iterable[str]) -> list[str]:
    return sorted(forms, key=lambda form: -SequenceMatcher(None, name, form).ratio())


def _close(name: str, names: Mapping[str, object] | tuple[()]) -> list[str]:
    plain = _HANDLES.sub("-", name.strip().lower())
    by_plain = {_HANDLES.sub("-", each.lower()): each for each in names}
    return [by_plain[each] for each in get_close_matches(plain, by_plain, 2)]
