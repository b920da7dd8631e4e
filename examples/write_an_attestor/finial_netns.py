"""From a process to the name of its network namespace, as `ip netns add blue` gave it."""

import os
import re
from dataclasses import dataclass

from attestors.contract import (
    Attested,
    Failed,
    Finding,
    NotApplicable,
    Process,
    SelectorForm,
    SelectorGrammar,
)
from finial.explain.diagnosis import Diagnosis, Health
from finial.spiffe.refusal import Kind
from finial.spiffe.selector import Selector

NAME = "netns"

# What a server checks registrations by, and what `finial explain` shows. Say what can go wrong:
# whoever writes an entry decides by `trusts` and `unproven` whether the selector is enough.
GRAMMAR = SelectorGrammar(
    NAME,
    (
        SelectorForm(
            name="name",
            pattern=r"name:[A-Za-z0-9._-]{1,255}",
            example="netns:name:blue",
            trusts="the kernel for the namespace, and root, who alone gives names in /run/netns",
            unproven="which of the namespace's processes it is",
        ),
    ),
)
_FORM = re.compile(GRAMMAR.forms[0].pattern)


@dataclass(frozen=True, slots=True)
class Settings:
    """`folder` is where the namespaces with a name are."""

    folder: str = "/run/netns"


class NetnsAttestor:
    """Gives `netns:name`."""

    name = NAME
    grammar = GRAMMAR

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.folder

    async def attest(self, process: Process, deadline: float) -> Finding:
        """Compare the process's namespace with those that have a name.

        Nothing here waits. What does, such as a question to a daemon, has to end by `deadline`.
        """
        try:
            theirs = _identity(f"{process.proc}/ns/net")
            names = [name for name in self._names() or () if self._is(name, theirs)]
        except OSError as error:
            # With fewer selectors a caller gets fewer identities, never more: failing is safe.
            return Failed(Kind.UNAVAILABLE, f"the network namespace is unknown: {error.strerror}")
        if not names:
            return NotApplicable("the process's network namespace has no name")
        values = [value for name in names if _FORM.fullmatch(value := f"name:{name}")]
        return Attested(
            tuple(Selector(NAME, value) for value in values),
            facts=(("network namespace", str(theirs[1])),),
        )

    async def diagnose(self, deadline: float) -> tuple[Diagnosis, ...]:
        """Say whether the folder is there, for `finial doctor`."""
        check = f"attestor {NAME}"
        names = self._names()
        if names is not None:
            detail = f"{len(names)} namespaces have a name"
            return (Diagnosis(check=check, health=Health.OK, detail=detail),)
        return (
            Diagnosis(
                check=check,
                health=Health.WARNING,
                detail=f"{self._folder} is not there: no namespace has a name",
                remedy="ip netns add NAME, or name another folder",
            ),
        )

    def _names(self) -> list[str] | None:
        return sorted(os.listdir(self._folder)) if os.path.isdir(self._folder) else None

    def _is(self, name: str, namespace: tuple[int, int]) -> bool:
        return _identity(f"{self._folder}/{name}") == namespace


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def create(settings: Settings) -> NetnsAttestor:
    """Make the attestor: the agent calls this once, with its table of the configuration."""
    return NetnsAttestor(settings)
