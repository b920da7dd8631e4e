"""A second node joins by one command, from a network namespace of its own."""

import contextlib
import re
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finial.wire.join_string import JoinString, split_address
from tests.conftest import Requirements
from tests.doubles.impostor import Relay
from tests.doubles.network import Network, network
from tests.doubles.nodes import AgentProgram, Program, ServerProgram, closing
from tests.doubles.programs import eventually, finial, short_folder

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def link(require: Requirements) -> Iterator[Network]:
    require.root()
    require.command("ip", "apt-get install iproute2")
    with network() as made:
        yield made


def serving(link: Network, folder: Path) -> ServerProgram:
    """A server that listens where the namespace reaches it, not started yet."""
    return ServerProgram(
        folder,
        {"bind_address": link.address, "bind_port": free_port(link), "log_level": "debug"},
    )


def free_port(link: Network) -> int:
    with socket.create_server((link.address, 0)) as found:
        port: int = found.getsockname()[1]
        return port


def joining(link: Network, folder: Path, join: Path | str) -> AgentProgram:
    """An agent in the namespace, not started yet."""
    return AgentProgram(folder, {"log_level": "debug"}, join=join, prefix=link.inside)


def create_token(server: ServerProgram, *arguments: str) -> tuple[str, str]:
    """Make a join string as an operator does; return it and the token in it."""
    where = f"unix://{server.admin_socket}"
    done = finial("token", "create", "--server", where, *arguments)
    assert done.returncode == 0, done.stderr
    join = done.stdout.strip()
    assert join.count("\n") == 0
    return join, JoinString.parse(join).token


def shown(server: ServerProgram) -> str:
    """Everything that an administrator can be shown."""
    paths = ("/v1/join-tokens", "/v1/agents", "/v1/entries", "/v1/issued", "/v1/bundle", "/metrics")
    lists = "".join(server.rest("GET", path).text for path in paths)
    where = f"unix://{server.admin_socket}"
    for command in (["token", "list"], ["agent", "list"], ["entry", "list"]):
        lists += finial(*command, "--server", where).stdout
    return lists


def command_lines() -> bytes:
    """What `ps` shows: the arguments and the environment of every process."""
    said = b""
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            said += (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
    return said


def written(folders: Iterable[Path], programs: Iterable[Program]) -> bytes:
    """Everything that the programs have written anywhere, databases included."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in [*files, *(each.log for each in programs)])


def check_secret(
    secrets: Iterable[str], server: ServerProgram, *agents: AgentProgram, spent: bool
) -> None:
    """Nothing that can be read holds the token or the join string."""
    programs: list[Any] = [server, *agents]
    places = {
        "ps": command_lines(),
        "a list": shown(server).encode(),
        "a file": written([each.folder for each in programs], programs),
    }
    for secret in secrets:
        held = [name for name, said in places.items() if secret.encode() in said]
        assert not held, f"{held} hold a secret, {spent=}"


@pytest.mark.parametrize("way", ["file", "standard input"])
def test_a_second_node_joins_and_serves(link: Network, place: Path, way: str) -> None:
    """A join string is all that a node needs, once; nothing that can be read ever holds it."""
    server = serving(link, place / "ca")
    file = place / "join"
    first = joining(link, place / "first", file if way == "file" else "-")
    second = joining(link, place / "second", file)
    with closing(server, first, second):
        server.begin()
        join, token = create_token(server)
        file.write_text(join)
        check_secret([join, token], server, first, spent=False)
        if way == "file":
            first.start()
        else:
            with file.open("rb") as stdin:
                first.start(stdin)
        agent_id = first.synced().agent_id
        assert re.fullmatch(r"spiffe://example\.org/spire/agent/join_token/[0-9a-f]{32}", agent_id)
        server.entry(agent_id, "/there")
        workload = f"unix://{first.workload_socket}"
        eventually(lambda: finial("fetch", "x509", "--socket", workload).returncode == 0)
        second.start()
        assert second.ended() == 1
        assert "join token does not exist or has already been used" in second.said
        assert "finial token create" in second.said
        check_secret([join, token], server, first, second, spent=True)
        assert [each["id"] for each in server.every("/v1/agents")] == [agent_id]


def test_a_server_that_did_not_make_the_token_is_not_joined(link: Network, place: Path) -> None:
    """Another server of the same trust domain cannot prove the token, and is not shown it."""
    real, impostor = serving(link, place / "ca"), serving(link, place / "im")
    victim = joining(link, place / "victim", place / "join")
    with closing(real, impostor, victim):
        real.begin()
        impostor.begin()
        address = JoinString.parse(create_token(impostor)[0]).servers[0]
        join, token = create_token(real, "--address", address)
        (place / "join").write_text(join)
        victim.start()
        assert victim.ended() == 1
        last = victim.said.strip().splitlines()[-2:]
        assert f"whoever answers at {address} could not prove that it made the join token" in (
            "\n".join(last)
        )
        check_secret([join, token], impostor, victim, spent=False)
        assert impostor.every("/v1/agents") == []
        assert [each["spent"] for each in real.every("/v1/join-tokens")] == [False]


def test_one_who_hands_on_the_proof_is_not_joined(link: Network, place: Path) -> None:
    """Whoever hands on what the real server proves is not vouched for by it; the token is safe."""
    real = serving(link, place / "ca")
    victim = joining(link, place / "victim", place / "join")
    with closing(real, victim):
        real.begin()
        join, token = create_token(real)
        whereabouts = split_address(JoinString.parse(join).servers[0])
        with Relay(link.address, whereabouts).serving() as relay:
            address = f"{link.address}:{relay.port}"
            told = replace(JoinString.parse(join), servers=(address,)).render()
            (place / "join").write_text(told)
            victim.start()
            sentence = f"whoever answers at {address} is not vouched for by the bundle"
            eventually(lambda: sentence in victim.said, 20, victim.said)
            assert set(relay.asked) == {"GetProvenBundle"}
            assert not [said for said in relay.seen if token.encode() in said]
        victim.close()
        assert [each["spent"] for each in real.every("/v1/join-tokens")] == [False]
        # The token is as good as it was.
        (place / "join").write_text(join)
        victim.begin()
