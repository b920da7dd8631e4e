"""Words of a command that somebody may paste into a shell."""

import shlex
from collections.abc import Iterable


def quote(word: str) -> str:
    """Write a word for a shell; what no terminal shows as it is becomes an escape that bash reads.

    So the command that is pasted names the very same word, whatever a label holds.
    """
    if word.isprintable():
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def join(words: Iterable[str]) -> str:
    """Write a whole command."""
    return " ".join(map(quote, words))


def _escaped(sign: str) -> str:
    if sign in "\\'":
        return f"\\{sign}"
    if sign.isprintable():
        return sign
    number = ord(sign)
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
