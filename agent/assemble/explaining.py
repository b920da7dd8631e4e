"""Makes the parts of an agent that say who calls, remember it, and explain it."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from agent.access.denials import Denials
from agent.access.held_policies import HeldPolicies
from agent.assemble.plugins import load_grammars, load_workload_attestors
from agent.attestation.memory import Memory
from agent.cache.view import Holdings
from agent.operations.attest_caller import CallerAttestation
from agent.operations.explain_caller import Explaining
from agent.operations.link import Link
from agent.operations.member import Member
from agent.operations.refresh_svids import SvidRefresh
from agent.operations.situate import Situating
from agent.settings import Settings
from finial.explain.hiding import Grammars
from finial.runtime.clock import Clock
from finial.runtime.entropy import Entropy
from finial.runtime.watch import Watch

ID_BYTES: Final = 5
"""Forty bits, eight letters: enough to tell the refusals of one agent apart."""


@dataclass(frozen=True, slots=True)
class Attesting:
    """What attests callers, what is remembered of them, and the rules to explain denials by."""

    attestation: CallerAttestation
    memory: Memory
    denials: Denials
    held: Watch[HeldPolicies | None]
    explaining: Explaining


def make_attesting(
    settings: Settings,
    *,
    member: Member,
    holdings: Watch[Holdings],
    link: Link,
    refresh: SvidRefresh,
    address: Callable[[], str],
    clock: Clock,
    entropy: Entropy,
) -> Attesting:
    """Make them. Raises: SettingsError; Refusal of kind PRECONDITION."""
    agent = settings.agent
    attestors = load_workload_attestors(settings)
    attestation = CallerAttestation(
        attestors, clock, agent.attestation_timeout, agent.required_workload_attestors
    )

    def new_id() -> str:
        return base64.b32encode(entropy.bytes(ID_BYTES)).decode().lower()

    memory, denials = Memory(new_id), Denials(new_id)
    held: Watch[HeldPolicies | None] = Watch(None)

    @cache
    def grammars() -> Grammars:
        # Only who explains something needs them, and they take some imports.
        return load_grammars(attestors)

    situating = Situating(
        member,
        holdings,
        link,
        address,
        lambda: refresh.unsigned,
        lambda: refresh.subscribed,
        grammars,
        tuple(each.name for each in attestors),
        clock,
    )
    explaining = Explaining(
        memory,
        attestation,
        situating.now,
        denials=denials,
        rules=lambda: held.value,
        endpoint=agent.workload_socket,
        clock=clock,
    )
    return Attesting(attestation, memory, denials, held, explaining)
