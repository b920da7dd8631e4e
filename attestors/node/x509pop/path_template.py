"""Templates for an agent's path, such as `/x509pop/{subject_cn}`.

SPIRE has Go's text templates here; these are plain placeholders, for the same values:
`{fingerprint}` (SHA-1 of the leaf, hex), `{serial_number}` (hex), `{subject_cn}`, `{san.KEY}` (from
a URI `x509pop://<trust domain>/KEY/value`) and, in mode spiffe, `{svid_path}` (after the prefix).
"""

import re
from collections.abc import Mapping
from typing import Final

from attestors.node.x509pop.payload import NAME
from finial.spiffe.refusal import Kind, Refusal

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_LITERAL: Final = re.compile(r"[A-Za-z0-9._/-]*", re.ASCII)
_SEGMENT: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]+", re.ASCII)
_SVID_PATH: Final = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*", re.ASCII)
_NAMES: Final = frozenset({"fingerprint", "serial_number", "subject_cn", "svid_path"})
_SAN: Final = "san."


def fault_of(template: str) -> str | None:
    """Say what is wrong with a template, or nothing.

    It begins with `/x509pop/`: no attestor names agents in the place of another one.
    """
    if not template.startswith(f"/{NAME}/"):
        return f"an agent's path begins with /{NAME}/"
    names = _PLACEHOLDER.findall(template)
    unknown = [each for each in names if each not in _NAMES and not each.startswith(_SAN)]
    if unknown:
        known = ", ".join(f"{{{each}}}" for each in (*sorted(_NAMES), "san.KEY"))
        return f"{{{unknown[0]}}} is no placeholder; there are {known}"
    if not names:
        return "without a placeholder all nodes would be one agent"
    if not _LITERAL.fullmatch(_PLACEHOLDER.sub("", template)):
        return "a path holds only letters, digits, '.', '-', '_' and slashes"
    return None


def render(template: str, values: Mapping[str, str]) -> str:
    """Fill a template in; a value is one segment of a path or a part of one.

    Raises: Refusal of kind DENIED: the certificate lacks the value, or it does not fit a path.
    """

    def filled(match: re.Match[str]) -> str:
        name = match.group(1)
        value = values.get(name, "")
        shape = _SVID_PATH if name == "svid_path" else _SEGMENT
        if not shape.fullmatch(value):
            fault = f"the certificate's {name} does not fit into an agent's path"
            if not value:
                fault = f"the certificate has no {name}, which the agent's path is made of"
            raise Refusal(Kind.DENIED, f"x509pop: {fault}", field=name, value=ascii(value[:80]))
        return value

    return _PLACEHOLDER.sub(filled, template)
