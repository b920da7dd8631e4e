"""From a table of a TOML file to a frozen dataclass, with everything that is wrong said at once.

A field's type decides what it takes: text, a whole number, a number, true or false, a list
(`tuple[X, ...]`), a table (`Mapping[str, X]` or another dataclass), a choice (`Literal`, an enum),
a path, `X | None`, or `Duration`. A rule of one field stands in its metadata
(`setting(check=...)`), a rule of several in `__post_init__`, which raises ValueError.
"""

import dataclasses
import difflib
import enum
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from finial.runtime.duration import IsDuration, parse_duration

T = TypeVar("T")

_CHECK: Final = "check"
_SCALARS: Final = {str: "a text", int: "a whole number", bool: "true or false", float: "a number"}


class SettingsError(Exception):
    """A configuration that cannot be used; `problems` has one sentence for each thing wrong."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def setting(default: Any = dataclasses.MISSING, *, check: Callable[[Any], str | None]) -> Any:
    """Declare a field with a rule of its own: `check` returns what is wrong, or nothing.

    What it returns completes a sentence that begins with the field's name, as in "is negative".
    """
    return dataclasses.field(default=default, metadata={_CHECK: check})


def at_least(bound: float) -> Callable[[float], str | None]:
    """Make a check for `setting`: the number is not below the bound."""
    return lambda value: None if value >= bound else f"is {value:g}, the least is {bound:g}"


def between(low: float, high: float) -> Callable[[float], str | None]:
    """Make a check for `setting`: the number is neither below nor above the bounds."""
    return lambda value: (
        None if low <= value <= high else f"is {value:g}, it must be {low:g} to {high:g}"
    )


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises: SettingsError, also if there is no such file."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError((f"{path} cannot be read: {error.strerror}",)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError((f"{path} is not TOML: {error}",)) from error


def load(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Read a table into a dataclass; `where` names the table, such as `server`, or is empty.

    Raises: SettingsError with every unknown key, missing key, wrong type and impossible value.
    """
    reader = _Reader()
    found = reader.table(cls, table, where)
    if reader.problems:
        raise SettingsError(tuple(reader.problems))
    return typing.cast(T, found)


class _Wrong(Exception):
    """A value that its field does not take; the message completes a sentence."""


class _Reader:
    """Walks a table and a dataclass together and keeps what is wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def table(self, cls: Any, table: Mapping[str, Any], where: str) -> Any:
        fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
        before = len(self.problems)
        self.problems += [_unknown(key, fields, where) for key in table if key not in fields]
        values = self._values(cls, fields, table, where)
        if len(self.problems) > before:
            return None
        try:
            return cls(**values)
        except ValueError as error:
            self.problems.append(f"{where}: {error}" if where else str(error))
            return None

    def _values(
        self,
        cls: Any,
        fields: Mapping[str, "dataclasses.Field[Any]"],
        table: Mapping[str, Any],
        where: str,
    ) -> dict[str, Any]:
        hints = typing.get_type_hints(cls, include_extras=True)
        values = {}
        for name, field in fields.items():
            place = _join(where, name)
            if name in table:
                values[name] = self._field(hints[name], field, table[name], place)
            elif _is_required(field):
                self.problems.append(f"{place} is missing")
        return values

    def _field(self, hint: Any, field: "dataclasses.Field[Any]", value: Any, place: str) -> Any:
        before = len(self.problems)
        found = self._kept(hint, value, place)
        check = field.metadata.get(_CHECK)
        if check is not None and len(self.problems) == before:
            fault = check(found)
            if fault:
                self.problems.append(f"{place} {fault}")
        return found

    def _kept(self, hint: Any, value: Any, place: str) -> Any:
        try:
            return self._convert(hint, value, place)
        except _Wrong as wrong:
            self.problems.append(f"{place} {wrong}")
            return None

    def _convert(self, hint: Any, value: Any, place: str) -> Any:
        origin = typing.get_origin(hint) or hint
        arguments = typing.get_args(hint)
        match origin:
            case typing.Annotated:
                found = _annotated(arguments, value)
            case typing.Union | types.UnionType:
                found = self._union(arguments, value, place)
            case typing.Literal:
                found = _choice(arguments, value)
            case _ if origin is tuple:
                found = self._items(arguments[0], value, place)
            case type() if issubclass(origin, Mapping):
                found = self._mapping(arguments, value, place)
            case _ if dataclasses.is_dataclass(origin):
                found = self.table(origin, _expect(dict, "a table", value), place)
            case _:
                found = _scalar(hint, value)
        return found

    def _union(self, arguments: tuple[Any, ...], value: Any, place: str) -> Any:
        wrongs = []
        for each in arguments:
            if each is types.NoneType:
                continue
            try:
                return self._convert(each, value, place)
            except _Wrong as wrong:
                wrongs.append(str(wrong))
        raise _Wrong(" or ".join(wrongs))

    def _items(self, hint: Any, value: Any, place: str) -> tuple[Any, ...]:
        items = enumerate(_expect(list, "a list", value))
        return tuple(self._kept(hint, each, f"{place}[{number}]") for number, each in items)

    def _mapping(self, arguments: tuple[Any, ...], value: Any, place: str) -> dict[str, Any]:
        hint = arguments[1] if arguments else Any
        members = _expect(dict, "a table", value).items()
        return {key: self._kept(hint, each, _join(place, key)) for key, each in members}


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _unknown(key: str, known: Mapping[str, object], where: str) -> str:
    close = difflib.get_close_matches(key, known, 1)
    if close:
        hint = f"did you mean {close[0]}?"
    elif known:
        hint = f"known are {', '.join(sorted(known))}"
    else:
        hint = "there is nothing to set"
    return f"{_join(where, key)} is unknown: {hint}"


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _annotated(arguments: tuple[Any, ...], value: Any) -> Any:
    return _seconds(value) if IsDuration in arguments else _scalar(arguments[0], value)


def _scalar(hint: Any, value: Any) -> Any:
    if hint in (Any, object):
        return value
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(_choice(tuple(each.value for each in hint), value))
    if hint is Path:
        return Path(_expect(str, "a text", value))
    if hint not in _SCALARS:
        raise TypeError(f"a setting cannot be of type {hint!r}")
    if hint is float:
        return float(_expect((int, float), "a number", value))
    return _expect(hint, _SCALARS[hint], value)


def _expect(kind: Any, named: str, value: Any) -> Any:
    # TOML's true is Python's True, which is also an int.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _Wrong(f"is {_shown(value)}, it must be {named}")
    return value


def _choice(choices: tuple[Any, ...], value: Any) -> Any:
    if value in choices and not isinstance(value, bool):
        return value
    close = difflib.get_close_matches(str(value), [str(each) for each in choices], 1)
    meant = f": did you mean {close[0]}?" if close else ""
    raise _Wrong(f"is {_quoted(value)}, it must be one of {', '.join(map(str, choices))}{meant}")


def _seconds(value: Any) -> float:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise _Wrong(f"is wrong: {error}") from None
    seconds = float(_expect((int, float), "a duration such as 1h30m", value))
    # TOML can write nan and inf.
    if not 0 <= seconds < float("inf"):
        raise _Wrong(f"is {value}, a duration is not negative and has an end")
    return seconds


def _shown(value: Any) -> str:
    # A text is not shown: it may be a secret at the wrong place.
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return "a text" if isinstance(value, str) else str(value).lower()[:60]


def _quoted(value: Any) -> str:
    return repr(value[:60]) if isinstance(value, str) else _shown(value)
