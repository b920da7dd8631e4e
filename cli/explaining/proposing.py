"""What an entry for a running process may ask for: all its selectors, and what each relies on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from attestors.contract import WORKLOAD_ATTESTOR, SelectorForm, SelectorGrammar
from cli.printing import plain, print_json
from finial.explain.explanation import Explanation
from finial.explain.hiding import is_hidden
from finial.explain.shell import quote
from finial.runtime import plugins


@dataclass(frozen=True, slots=True)
class Proposal:
    """One selector of the process; `trusts` is empty where its attestor is not installed here."""

    selector: str
    trusts: str
    unproven: str

    @property
    def is_hidden(self) -> bool:
        """Whether its value is not shown, so that it has to be written by who knows it."""
        return is_hidden(self.selector)


def proposals(explanation: Explanation) -> list[Proposal]:
    """Every selector that was found, by attestor."""
    found = []
    for report in explanation.attestors:
        forms = _forms(report.name)
        for selector in report.selectors:
            name = selector.removeprefix(f"{report.name}:").partition(":")[0]
            form = forms.get(name)
            trusts, unproven = (form.trusts, form.unproven) if form else ("", "")
            found.append(Proposal(selector, trusts, unproven))
    return found


def chosen(proposed: Sequence[Proposal], choices: Sequence[str], named: Sequence[str]) -> list[str]:
    """The selectors of the process that were chosen by their beginning or named in full.

    Raises: click.UsageError when the process has none or several of a beginning, or not what was
    named.
    """
    found = [_only(proposed, choice) for choice in choices]
    every = {each.selector for each in proposed}
    hidden = [each.selector.rpartition("(")[0] for each in proposed if each.is_hidden]
    for selector in named:
        if selector not in every and not any(map(selector.startswith, hidden)):
            raise click.UsageError(f"the process has no selector {selector}")
    return list(dict.fromkeys([*found, *named]))


def propose(explanation: Explanation, pid: int, output: str, agent: str = "") -> None:
    """Print what there is to choose from; `agent` is on whose node the process was said to be."""
    proposed = proposals(explanation)
    if output == "json":
        print_json(_document(explanation, proposed))
        return
    process = explanation.process
    click.echo(f"process {pid}, uid {process.uid}, {plain(process.exe)}".rstrip(", "))
    click.echo(f"agent {explanation.agent_id}\n")
    for each in proposed:
        click.echo(f"  {plain(each.selector)}")
        if each.trusts:
            click.echo(f"      relies on {plain(each.trusts)}")
    if not proposed:
        click.echo("no attestor found a selector of this process")
    for report in explanation.attestors:
        if report.status != "attested":
            click.echo(f"\n{report.name} {report.status}: {plain(report.detail)}")
    for match in explanation.matches:
        click.echo(f"\nit matches the entry {plain(match.id)} for {plain(match.spiffe_id)} already")
    _how(pid, proposed, agent)


def _how(pid: int, proposed: Sequence[Proposal], agent: str) -> None:
    if any(each.is_hidden for each in proposed):
        click.echo("\nA hidden value is written in full by who knows it: --selector TYPE:VALUE")
    if proposed:
        telling = [each for each in proposed if each.selector.startswith("unix:uid:")]
        example = ":".join((telling or proposed)[0].selector.split(":")[:2])
        where = f" --agent {quote(agent)}" if agent else ""
        click.echo(
            "\nNothing was created. Choose what tells it apart, all of which has to match:\n"
            f"  finial entry create SPIFFE_ID --for-pid {pid}{where} --select {quote(example)}"
        )


def _document(explanation: Explanation, proposed: Sequence[Proposal]) -> dict[str, Any]:
    process = explanation.process
    return {
        "agent_id": explanation.agent_id,
        "process": {
            "pid": process.pid,
            "uid": process.uid,
            "gid": process.gid,
            "exe": process.exe,
        },
        "selectors": [
            {
                "selector": each.selector,
                "trusts": each.trusts,
                "unproven": each.unproven,
                "hidden": each.is_hidden,
            }
            for each in proposed
        ],
        "attestors": [
            {"name": each.name, "status": each.status, "detail": each.detail}
            for each in explanation.attestors
        ],
        "matches": [{"id": each.id, "spiffe_id": each.spiffe_id} for each in explanation.matches],
    }


def _only(proposed: Sequence[Proposal], choice: str) -> str:
    found = [
        each
        for each in proposed
        if each.selector == choice or each.selector.startswith(choice.rstrip(":") + ":")
    ]
    if not found:
        there = ", ".join(each.selector for each in proposed) or "none"
        raise click.UsageError(f"the process has no selector {choice}; it has {there}")
    if len(found) > 1:
        several = ", ".join(each.selector for each in found)
        raise click.UsageError(f"{choice} is the beginning of several: {several}")
    if found[0].is_hidden:
        raise click.UsageError(
            f"the value of {found[0].selector} is never shown: write it in full with --selector"
        )
    return found[0].selector


def _forms(attestor: str) -> Mapping[str, SelectorForm]:
    """The forms of an attestor that is installed where this command runs."""
    try:
        grammar = getattr(plugins.load(WORKLOAD_ATTESTOR, attestor), "GRAMMAR", None)
    except (plugins.UnknownPlugin, plugins.BrokenPlugin):
        return {}
    if not isinstance(grammar, SelectorGrammar):
        return {}
    return {form.name: form for form in grammar.forms}
