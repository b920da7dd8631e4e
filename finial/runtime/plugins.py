"""Plugins by entry point: a module for a name, or an error that says which names there are."""

import difflib
import importlib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType


class UnknownPlugin(Exception):
    """No plugin of that name is installed; the message names those that are."""


class BrokenPlugin(Exception):
    """A plugin is installed and cannot be loaded; the message says why."""


@cache
def _found(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def names(group: str) -> tuple[str, ...]:
    """Return the names of all installed plugins of a group, such as `finial.key_manager`."""
    return tuple(sorted(_found(group)))


def load(group: str, name: str) -> ModuleType:
    """Import the plugin's module.

    Raises: UnknownPlugin, BrokenPlugin.
    """
    entry = _found(group).get(name)
    if entry is None:
        raise UnknownPlugin(_nothing_called(group, name))
    try:
        return importlib.import_module(entry.module)
    except ImportError as error:
        raise BrokenPlugin(f"the plugin {name!r} ({entry.value}) does not load: {error}") from error


def _nothing_called(group: str, name: str) -> str:
    kind = group.removeprefix("finial.").replace("_", " ")
    existing = ", ".join(names(group)) or "none is installed"
    close = difflib.get_close_matches(name, names(group), 1)
    meant = f", did you mean {close[0]!r}" if close else ""
    return f"no {kind} plugin is called {name!r}{meant} (there are: {existing})"
