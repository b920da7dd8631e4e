"""Keeping secret values out of explanations: their names are shown, what follows is not.

A form that its grammar calls secret is hidden, and what is spelled almost like it. Forms and types
that no grammar knows are hidden if they are named like an environment: rather a riddle than a leak.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final, Protocol

from finial.spiffe.refusal import Refusal
from finial.spiffe.selector import Selector

HIDDEN: Final = "(hidden)"
_SUSPECT: Final = "env"
_NONE: Final[frozenset[str]] = frozenset()
_SEPARATOR: Final = re.compile("([:=])")


class Form(Protocol):
    """What is asked of a selector's form; `attestors.contract.SelectorForm` is one.

    `pattern` is a regular expression for the whole value, empty where it is not known.
    """

    @property
    def name(self) -> str:
        """What the value begins with, up to its first colon."""
        ...

    @property
    def pattern(self) -> str:
        """What the whole value matches."""
        ...

    @property
    def example(self) -> str:
        """A whole selector."""
        ...

    @property
    def trusts(self) -> str:
        """What a match relies on, in a sentence."""
        ...

    @property
    def setting(self) -> str:
        """The attestor's setting without which it is never given, empty if there is none."""
        ...

    @property
    def secret(self) -> bool:
        """Whether its values are never shown."""
        ...


Grammars = Mapping[str, Sequence[Form]]
"""The forms of selectors by their type, as far as they are known."""


class Hiding:
    """Writes selectors so that everybody may read them."""

    def __init__(self, grammars: Grammars) -> None:
        self._known = {type_: {form.name for form in forms} for type_, forms in grammars.items()}
        self._secret = {
            type_: frozenset(form.name for form in forms if form.secret)
            for type_, forms in grammars.items()
        }

    def is_secret(self, selector: Selector) -> bool:
        """Whether the selector's value must not be shown."""
        form = form_name(selector.value)
        known = self._known.get(selector.type)
        secret = self._secret.get(selector.type, _NONE)
        if known is not None and form in known:
            return form in secret
        # Whoever mistyped the name of a secret form has written a secret all the same.
        named = form if known is not None else f"{selector.type}:{form}"
        if _SUSPECT in named.casefold():
            return True
        return bool(get_close_matches(form.casefold(), secret | {_SUSPECT}, 1))

    def shown(self, selector: Selector) -> str:
        """The selector as text, a secret value cut off after its name."""
        parts = _SEPARATOR.split(selector.value, 2)
        if len(parts) == 1 or not self.is_secret(selector):
            return str(selector)
        # Form, separator, name, separator, value; without a name everything after the form.
        begin = "".join(parts[:4] if len(parts) > 3 else parts[:2])
        return f"{selector.type}:{begin}{HIDDEN}"

    def shown_text(self, text: str) -> str:
        """The same of what may be the text of a selector; anything else stays as it is."""
        try:
            return self.shown(Selector.parse(text))
        except Refusal:
            return text


BY_NAME_ALONE: Final = Hiding({})
"""For what knows no grammars: whatever is named like an environment is hidden."""


def form_name(value: str) -> str:
    """Name the form of a selector's value: whatever stands before its first colon or equals sign.

    Behind an equals sign in the place of the colon there may be a secret as well.
    """
    return _SEPARATOR.split(value, 1)[0]


def is_hidden(text: str) -> bool:
    """Whether a selector that somebody else wrote had its value cut off."""
    return text.endswith(HIDDEN)
