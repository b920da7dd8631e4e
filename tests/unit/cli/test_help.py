from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from cli.__main__ import root
from cli.printing import plain


def _every(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _every(command, (*path, name))
        else:
            yield (*path, name)


COMMANDS = sorted(_every(root))


def test_every_command_is_there() -> None:
    """The command has what its documents promise."""
    promised = """up/ca run/agent run/agent list/agent show/agent ban/agent evict/agent purge
        entry create/entry list/entry show/entry update/entry delete/entry count
        token create/token list/api-token create/api-token list/api-token revoke
        bundle show/bundle export/authority list/fetch x509/fetch jwt/fetch bundles
        validate jwt/mint x509/mint jwt/explain/simulate/healthcheck/doctor/inspect
        policy apply/policy diff/policy test/policy explain
        policy list/policy show/policy delete/policy mode/policy agents
        policy report/top
        identity/block/unblock/blocks/sidecar"""
    wanted = {tuple(each.split()) for line in promised.splitlines() for each in line.split("/")}
    assert set(COMMANDS) == wanted


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    """Each command's help has an example and `--output json`."""
    shown = CliRunner().invoke(root, [*command, "--help"])
    assert shown.exit_code == 0
    assert f"finial {' '.join(command)}" in shown.output.replace("\n", " ")
    assert "Example" in shown.output
    assert "--output" in shown.output


@pytest.mark.parametrize("group", sorted({path[:-1] for path in COMMANDS}), ids=" ".join)
def test_a_list_of_commands_says_each_to_its_end(group: tuple[str, ...]) -> None:
    """On a terminal of 80 columns no line of a group's help is cut off."""
    shown = CliRunner().invoke(root, [*group, "--help"], terminal_width=80).output
    assert "..." not in shown.partition("Commands:")[2]


def test_no_command_takes_a_secret_as_an_argument() -> None:
    """Everybody can read a process's arguments."""
    for command in COMMANDS:
        shown = CliRunner().invoke(root, [*command, "--help"]).output
        for option in ("--token ", "--password", "--secret", "--key ", "--join "):
            assert option not in shown


def test_a_misspelt_command_is_met_with_the_nearest() -> None:
    """`finial entri` is asked whether it meant entry."""
    shown = CliRunner().invoke(root, ["entri"])
    assert (shown.exit_code, "entry" in shown.output) == (2, True)


def test_what_is_printed_obeys_no_stranger() -> None:
    """Control characters from elsewhere never reach the terminal."""
    assert plain("a\x1b[31mb\n") == "a\\x1b[31mb\\n"
    assert plain([1, {"a": True}]) == "1, a=yes"
