"""Policies in files: rules as JSON, one or many, and Cedar, named after its file."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from finial.spiffe.json import strict_json
from finial.spiffe.refusal import Kind, Refusal

Wish = dict[str, Any]
MOST_REQUESTS: Final = 10_000
LARGEST: Final = 16 * 1024 * 1024
MOST_SENT: Final = 1_500_000
"""Bytes of policies, and of requests, in one call; the server takes two mebibytes."""


def read_policies(files: Sequence[Path]) -> list[Wish]:
    """Read policies as the server takes them; a folder stands for the files in it.

    Raises: Refusal of kind INVALID, also when two have the same name.
    """
    found: dict[str, Wish] = {}
    for file in _each(files):
        for wish in _read(file):
            name = name_of(wish)
            if name in found:
                raise Refusal(Kind.INVALID, f"two policies are named {name!r}", value=str(file))
            found[name] = wish
    if not found:
        raise Refusal(
            Kind.INVALID,
            "there is no policy in it",
            field="file",
            value=", ".join(map(str, files)),
            remedy="name files that end with .json or .cedar, or a folder with such files",
        )
    return list(found.values())


def read_requests(file: Path) -> list[Wish]:
    """Read requests, one JSON object a line: caller, callee, method, path.

    Raises: Refusal of kind INVALID.
    """
    requests = []
    for number, line in enumerate(_text(file).splitlines(), 1):
        if line.strip():
            place = f"{file}:{number}"
            request = _json(line, place)
            if not isinstance(request, dict):
                fault = "a request is an object with caller, callee, method and path"
                raise Refusal(Kind.INVALID, fault, field="file", value=place)
            requests.append(request)
    return requests


def trials(change: Wish, requests: Sequence[Wish]) -> Iterator[Wish]:
    """A change with requests to try it on, as one call or more that a server takes.

    Raises: Refusal of kind INVALID for a change that is too large.
    """
    room = MOST_SENT - len(json.dumps(change))
    if room < 0:
        fault = f"policies of more than {MOST_SENT} bytes cannot be tried at once"
        raise Refusal(Kind.INVALID, fault, field="file", remedy="name fewer files")
    for part in list(batches(requests, max(room, MOST_SENT // 4))) or [[]]:
        yield change | {"requests": part}


def judged(faults: Sequence[Wish]) -> None:
    """Say why policies would be refused, if they would.

    Raises: Refusal of kind INVALID with the first reason.
    """
    for each in faults:
        raise Refusal(
            Kind.INVALID,
            f"{each['policy']}: {each['detail']}",
            field=each["field"],
            value=each["value"],
            remedy=each["remedy"],
        )


def recorded_requests(flows: Iterable[Wish]) -> list[Wish]:
    """Make requests of what agents recorded: of each kind one, by its example if there is one."""
    found = []
    for flow in flows:
        path = flow.get("example") or flow.get("path")
        if path and flow["callee"] and flow["method"]:
            wish = {"callee": flow["callee"], "method": flow["method"], "path": path}
            found.append(wish | ({"caller": flow["caller"]} if flow["caller"] else {}))
    return found[:MOST_REQUESTS]


def name_of(wish: Wish) -> str:
    """The name of a policy."""
    return str(wish.get("name") or wish["rule"].get("name", ""))


def same(wish: Wish, known: Wish) -> bool:
    """Whether the server has it just so."""
    return (wish.get("rule"), wish.get("cedar"), True) == (
        known["rule"],
        known["cedar"],
        known["enabled"],
    )


def lines_of(policy: Wish) -> Sequence[str]:
    """A policy as lines to compare; that one is switched off is a line, too."""
    off = ["not enabled"] if policy.get("enabled") is False else []
    if policy.get("cedar") is not None:
        return [*off, *str(policy["cedar"]).splitlines()]
    return [*off, *json.dumps(policy["rule"], indent=2, sort_keys=True).splitlines()]


def batches(wishes: Sequence[Wish], most: int = MOST_SENT) -> Iterator[list[Wish]]:
    """Divide what is to be sent, so that each part has so many bytes at most, or one member."""
    part: list[Wish] = []
    size = 0
    for wish in wishes:
        length = len(json.dumps(wish)) + 1
        if part and size + length > most:
            yield part
            part, size = [], 0
        part.append(wish)
        size += length
    if part:
        yield part


def _each(files: Iterable[Path]) -> Iterator[Path]:
    for file in files:
        if file.is_dir():
            yield from sorted(each for each in file.iterdir() if each.suffix in (".json", ".cedar"))
        else:
            yield file


def _read(file: Path) -> Iterator[Wish]:
    text = _text(file)
    if file.suffix == ".cedar":
        yield {"name": file.stem, "cedar": text}
        return
    document = _json(text, str(file))
    for rule in document if isinstance(document, list) else [document]:
        if not isinstance(rule, dict):
            raise Refusal(Kind.INVALID, "a rule is an object", field="file", value=str(file))
        if not isinstance(rule.get("name"), str) or not rule["name"]:
            raise Refusal(Kind.INVALID, "a rule has a name", field="file", value=str(file))
        yield {"rule": rule}


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise OSError(f"it has more than {LARGEST} bytes")
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            Kind.INVALID, f"cannot be read: {error}", field="file", value=str(file)
        ) from None


def _json(text: str, place: str) -> Any:
    try:
        # Of a member that is given twice nobody knows which is meant.
        return strict_json.loads(text.encode(), max_bytes=LARGEST)
    except Refusal as refusal:
        raise Refusal(Kind.INVALID, refusal.detail, field="file", value=place) from None
