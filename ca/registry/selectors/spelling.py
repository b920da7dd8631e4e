"""The selector that somebody may have meant who wrote one that does not exist."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher, get_close_matches
from typing import Final

from ca.registry.selectors.vocabulary import SelectorType
from finial.explain.hiding import form_name
from finial.spiffe.selector import Selector

_LONGEST: Final = 256
_A_LITTLE_LIKE: Final = 0.25
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
    name = form_name(wrong.value)
    rest = wrong.value[len(name) + 1 :]
    own = types.get(wrong.type)
    if own is not None:
        yield from ((own.name, value) for value in _spelt(wrong.value, own))
        if name in own.patterns:
            # The value may be one of another form, as the user's name is under uid.
            yield from ((own.name, f"{form}:{rest}") for form in _likest(name, own.patterns))
    for type_ in _close(wrong.type, types):
        yield type_, wrong.value
        yield from ((type_, value) for value in _spelt(wrong.value, types[type_]))
    for type_, known in types.items():
        # The type was left out, or is another attestor's.
        if wrong.type in known.patterns:
            yield type_, f"{wrong.type}:{wrong.value}"
        if _close(name, known.patterns):
            yield from ((type_, value) for value in _spelt(wrong.value, known))


def _spelt(value: str, known: SelectorType) -> Iterator[str]:
    """The value under the nearest names of a form: as it is, trimmed, with = for : or : for =."""
    name = form_name(value)
    rest = value[len(name) + 1 :]
    for form in _close(name, known.patterns):
        trimmed = rest.strip()
        swapped = rest.replace("=", ":", 1), rest.replace(":", "=", 1)
        for kept in dict.fromkeys((rest, trimmed, trimmed.lower(), *swapped)):
            yield f"{form}:{kept}"


def _likest(name: str, forms: Iterable[str]) -> list[str]:
    ratios = {form: SequenceMatcher(None, name, form).ratio() for form in forms}
    like = [form for form in ratios if ratios[form] >= _A_LITTLE_LIKE]
    return sorted(like, key=lambda form: -ratios[form])


def _close(name: str, names: Iterable[str]) -> list[str]:
    plain = _HANDLES.sub("-", name.strip().lower())
    by_plain = {_HANDLES.sub("-", each.lower()): each for each in names}
    close = get_close_matches(plain, by_plain, 2)
    return [by_plain[each] for each in close or by_plain if close or _is_short_for(each, plain)]


def _is_short_for(short: str, name: str) -> bool:
    """Whether a name abbreviates another, as ns does namespace."""
    letters = iter(name)
    return short[:1] == name[:1] and all(letter in letters for letter in short)
