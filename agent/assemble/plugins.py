"""The agent's plugins, found by their entry points and given their settings."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from agent.settings import DEFAULT_WORKLOAD_ATTESTOR, Settings
from attestors.contract import NODE_EVIDENCE, WORKLOAD_ATTESTOR, NodeEvidence, WorkloadAttestor
from finial.explain.hiding import Form, Grammars
from finial.keys.contract import KeyManager
from finial.runtime import plugins, settings
from finial.runtime.plugins import BrokenPlugin, UnknownPlugin
from finial.runtime.settings import SettingsError

KEY_MANAGER: Final = "finial.key_manager"
DEFAULT_KEY_MANAGER: Final = "disk"
log = logging.getLogger("finial.agent.plugins")
JOIN_TOKEN: Final = "join_token"  # noqa: S105 - the attestor's name


def load_key_manager(configured: Settings) -> KeyManager:
    """Make the key manager that is configured, keys on disk by default.

    Raises: SettingsError; Refusal of kind PRECONDITION.
    """
    chosen = configured.plugin("key_manager") or {DEFAULT_KEY_MANAGER: {}}
    [(name, table)] = chosen.items()
    module, values = _module("key_manager", KEY_MANAGER, name, table)
    manager: KeyManager = module.create(values, _storage(configured))
    return manager


def load_evidence(name: str, table: Mapping[str, Any]) -> NodeEvidence:
    """Make a node attestor's half. Raises: SettingsError; Refusal of kind PRECONDITION."""
    module, values = _module("node_attestor", NODE_EVIDENCE, name, table)
    evidence: NodeEvidence = module.create(values)
    return evidence


def load_workload_attestors(configured: Settings) -> tuple[WorkloadAttestor, ...]:
    """Make the workload attestors that are configured, `unix` alone by default.

    Raises: SettingsError; Refusal of kind PRECONDITION.
    """
    chosen = configured.plugin("workload_attestor") or {DEFAULT_WORKLOAD_ATTESTOR: {}}
    made = []
    for name, table in chosen.items():
        module, values = _module("workload_attestor", WORKLOAD_ATTESTOR, name, table)
        made.append(module.create(values))
    return tuple(made)


def load_grammars(running: Sequence[WorkloadAttestor]) -> Grammars:
    """The grammars of the attestors that run, and of all others that are installed.

    By the others an explanation tells an attestor that is not configured from one that is none.
    """
    grammars: dict[str, Sequence[Form]] = {}
    for name in plugins.names(WORKLOAD_ATTESTOR):
        try:
            grammar = plugins.load(WORKLOAD_ATTESTOR, name).GRAMMAR
        except (BrokenPlugin, AttributeError) as error:
            log.warning("the grammar of the attestor %s cannot be read: %s", name, error)
            continue
        grammars[grammar.type] = grammar.forms
    return grammars | {each.name: each.grammar.forms for each in running}


def judge_plugins(configured: Settings) -> None:
    """Read every plugin's settings and make none of them.

    Raises: SettingsError with everything that is wrong.
    """
    groups = {
        "key_manager": KEY_MANAGER,
        "node_attestor": NODE_EVIDENCE,
        "workload_attestor": WORKLOAD_ATTESTOR,
    }
    problems: list[str] = []
    for kind, group in groups.items():
        for name, table in configured.plugin(kind).items():
            try:
                _module(kind, group, name, table)
            except SettingsError as error:
                problems += error.problems
    if problems:
        raise SettingsError(tuple(problems))


def _storage(configured: Settings) -> Path:
    return configured.agent.storage_dir


def _module(kind: str, group: str, name: str, table: Mapping[str, Any]) -> tuple[ModuleType, Any]:
    where = f"plugins.{kind}.{name}"
    try:
        module = plugins.load(group, name)
    except (UnknownPlugin, BrokenPlugin) as error:
        raise SettingsError((f"{where}: {error}",)) from error
    return module, settings.load(module.Settings, table, where)
