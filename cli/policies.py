"""Policies in files: rules as JSON, one or many, and Cedar, named after its file."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from finial.spiffe.refusal import Kind, Refusal

Wish = dict[str, Any]
MOST_REQUESTS: Final = 10_000
LARGEST: Final = 16 * 1024 * 1024


def read_policies(files: Iterable[Path]) -> list[Wish]:
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
    return list(found.values())


def read_requests(file: Path) -> list[Wish]:
    """Read requests, one JSON object a line: caller, callee, method, path.

    Raises: Refusal of kind INVALID.
    """
    requests = []
    for number, line in enumerate(_text(file).splitlines(), 1):
        if line.strip():
            requests.append(_json(line, f"{file}:{number}"))
    return requests


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
    """A policy as lines to compare."""
    if policy.get("cedar") is not None:
        return str(policy["cedar"]).splitlines()
    return json.dumps(policy["rule"], indent=2, sort_keys=True).splitlines()


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
        yield {"rule": rule}


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            Kind.INVALID, f"cannot be read: {error}", field="file", value=str(file)
        ) from None


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        fault = f"this is no JSON: {error}"
        raise Refusal(Kind.INVALID, fault, field="file", value=place) from None
