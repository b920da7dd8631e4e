"""The server's plugins, found by their entry points and given their settings."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from attestors.contract import (
    NODE_VERIFIER,
    WORKLOAD_ATTESTOR,
    NodeVerifier,
    SelectorGrammar,
    VerifierContext,
)
from ca.registry.selectors.vocabulary import SelectorType, Vocabulary
from ca.settings import Settings
from finial.keys.contract import KeyManager
from finial.runtime import plugins, settings
from finial.runtime.plugins import BrokenPlugin, UnknownPlugin
from finial.runtime.settings import SettingsError

KEY_MANAGER = "finial.key_manager"
DEFAULT_KEY_MANAGER = "disk"
DEFAULT_NODE_ATTESTOR = "join_token"
_logger = logging.getLogger("finial.ca.plugins")


def load_key_manager(configured: Settings, private_dir: Path) -> KeyManager:
    """Make the key manager that is configured, keys on disk by default.

    Raises: SettingsError; Refusal of kind PRECONDITION.
    """
    chosen = configured.plugin("key_manager") or {DEFAULT_KEY_MANAGER: {}}
    [(name, table)] = chosen.items()
    module, values = _module("key_manager", KEY_MANAGER, name, table)
    manager: KeyManager = module.create(values, private_dir)
    return manager


def load_verifiers(configured: Settings, context: VerifierContext) -> dict[str, NodeVerifier]:
    """Make the node attestors that are configured, join tokens alone by default.

    Raises: SettingsError; Refusal of kind PRECONDITION.
    """
    verifiers = {}
    for name, table in _node_attestors(configured).items():
        module, values = _module("node_attestor", NODE_VERIFIER, name, table)
        verifiers[name] = module.create(values, context)
    return verifiers


def load_vocabulary(configured: Settings) -> Vocabulary:
    """Say which selectors there are, by the grammars of plugins.

    Any installed workload attestor may run on an agent; of node attestors those that are configured
    here count. One that does not load, or has no grammar, is known by its name alone.
    """
    return Vocabulary(
        {
            name: _selector_type(WORKLOAD_ATTESTOR, name)
            for name in plugins.names(WORKLOAD_ATTESTOR)
        },
        {name: _selector_type(NODE_VERIFIER, name) for name in _node_attestors(configured)},
        frozenset(configured.server.extra_selector_types),
    )


def judge_plugins(configured: Settings) -> None:
    """Read every plugin's settings without making any.

    Raises: SettingsError with everything that is wrong.
    """
    problems: list[str] = []
    for kind, group in (("key_manager", KEY_MANAGER), ("node_attestor", NODE_VERIFIER)):
        for name, table in configured.plugin(kind).items():
            try:
                _module(kind, group, name, table)
            except SettingsError as error:
                problems += error.problems
    if problems:
        raise SettingsError(tuple(problems))


def _node_attestors(configured: Settings) -> Mapping[str, Mapping[str, Any]]:
    return configured.plugin("node_attestor") or {DEFAULT_NODE_ATTESTOR: {}}


def read_grammar(name: str, module: object) -> SelectorType:
    """Say which selectors an attestor gives, by its module's `GRAMMAR`."""
    grammar = getattr(module, "GRAMMAR", None)
    if not isinstance(grammar, SelectorGrammar):
        return SelectorType(name)
    try:
        return SelectorType.of(name, *grammar.forms)
    except re.error as error:
        _logger.warning("the selectors of the attestor %s cannot be checked: %s", name, error)
        return SelectorType(name)


def _selector_type(group: str, name: str) -> SelectorType:
    try:
        return read_grammar(name, plugins.load(group, name))
    except BrokenPlugin as error:
        _logger.warning("the selectors of the attestor %s are not known: %s", name, error)
        return SelectorType(name)


def _module(kind: str, group: str, name: str, table: Mapping[str, Any]) -> tuple[ModuleType, Any]:
    try:
        module = plugins.load(group, name)
    except (UnknownPlugin, BrokenPlugin) as error:
        raise SettingsError((f"plugins.{kind}.{name}: {error}",)) from error
    return module, settings.load(module.Settings, table, f"plugins.{kind}.{name}")
