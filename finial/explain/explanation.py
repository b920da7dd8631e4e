"""The answer to "why no identity?": one document for agents, servers, consoles and the command.

An agent makes it of what it knows: its own entries and what its attestors found. A server adds what
only a server may know (`elsewhere`) for its administrators. It travels as JSON between them.
Values of secret selectors are hidden before they get in here (`finial.explain.hiding`).
"""

import enum
from typing import Any, Final

import msgspec

from finial.spiffe.refusal import Kind, Refusal

MAX_DOCUMENT: Final = 512 * 1024
"""Bytes that a document from another process may have."""
_FEWER: Final = (100, 20, 5)
"""So many parts of each list are told where all would be too long: the first number that fits."""
_LONGEST: Final = 300
_NAMES: Final = frozenset({"agent_id", "id", "spiffe_id", "parent_id"})


class Outcome(enum.StrEnum):
    """What came of an attestation."""

    SERVED = "served"
    REFUSED = "refused"
    WOULD_BE_SERVED = "would be served"
    WOULD_BE_REFUSED = "would be refused"


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of an explanation; members that are empty are left out of the JSON."""


class ProcessReport(Document, frozen=True):
    """The process as the kernel knows it; `exe` is what it calls its program."""

    pid: int
    uid: int
    gid: int
    exe: str = ""


class AttestorReport(Document, frozen=True):
    """What one attestor said: selectors, or why it has none.

    `status` is `attested`, `not applicable`, `failed` or `denied`; `facts` are what was found and
    is no selector, such as the container's id; `remarks` say which selectors could not be given,
    and why.
    """

    name: str
    status: str
    selectors: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    detail: str = ""


class MissingSelector(Document, frozen=True):
    """One selector that an entry asks for and the process has not.

    `closest` is the selector found that comes nearest, empty if nothing like it was found; `why`
    says in a sentence what keeps them apart.
    """

    wanted: str
    closest: str = ""
    why: str = ""


class EntryReport(Document, frozen=True):
    """A registration entry, and for one that does not match what is missing.

    `state` says what else stands in its way, such as an SVID that is not signed yet.
    """

    id: str
    spiffe_id: str
    selectors: tuple[str, ...] = ()
    missing: tuple[MissingSelector, ...] = ()
    state: str = ""


class Elsewhere(Document, frozen=True):
    """An entry that this agent does not have; `why` says in a sentence why not."""

    entry: EntryReport
    parent_id: str
    why: str


class Fix(Document, frozen=True):
    """What can be done: a sentence, and the command that does it, if one command does."""

    what: str
    command: str = ""


class Explanation(Document, frozen=True):
    """Everything about one attestation of one process.

    Times are Unix seconds. `reason` is the short sentence that the caller was told; `refusal` is
    the id it was given with it. `count` is how often the same was answered to the same process,
    from `first_at` to `last_at`. `causes` are sentences, the likeliest first. `shortened` says that
    there was more to tell than is told here.
    """

    agent_id: str
    process: ProcessReport
    outcome: Outcome
    first_at: float
    last_at: float
    count: int = 1
    method: str = ""
    reason: str = ""
    refusal: str = ""
    attestors: tuple[AttestorReport, ...] = ()
    matches: tuple[EntryReport, ...] = ()
    nearest: tuple[EntryReport, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    causes: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    shortened: bool = False

    def encoded(self) -> bytes:
        """Write the document as JSON, shortened where it would be longer than may be read."""
        document = msgspec.json.encode(self)
        for few in _FEWER:
            if len(document) <= MAX_DOCUMENT:
                break
            short = _shortened(msgspec.to_builtins(self), few)
            document = msgspec.json.encode({**short, "shortened": True})
        return document


def decode_explanation(document: bytes) -> Explanation:
    """Read what another process wrote.

    Raises: Refusal of kind INVALID: too large, or not an explanation.
    """
    if len(document) > MAX_DOCUMENT:
        raise Refusal(Kind.INVALID, f"the explanation has {len(document)} bytes, too many to read")
    try:
        return msgspec.json.decode(document, type=Explanation)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(Kind.INVALID, f"this is no explanation: {error}") from error


def _shortened(part: Any, few: int, name: str = "") -> Any:
    """Tell the first few of each list, and the beginning of what is long.

    A selector or a command that is not whole would be another one, and is left out.
    """
    match part:
        case dict():
            return {key: _shortened(value, few, key) for key, value in part.items()}
        case tuple() if name == "selectors":
            return [each for each in part if len(each) <= _LONGEST][:few]
        case tuple():
            return [_shortened(each, few) for each in part[:few]]
        case str() if len(part) > _LONGEST and name not in _NAMES:
            return "" if name == "command" else f"{part[:_LONGEST]}..."
    return part
