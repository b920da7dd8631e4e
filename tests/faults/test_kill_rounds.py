"""Server and agents are killed, over and over, while everything they do goes on."""

import contextlib
import itertools
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import jwt
import pytest

from tests.doubles.nodes import AgentProgram, Program, ServerProgram, closing
from tests.doubles.programs import eventually, short_folder, up
from tests.doubles.workload import Subscriber, fetch, fetch_jwt, refusal_of

ROUNDS = 50
MOST_ROUNDS = 2 * ROUNDS
JOINERS = 4
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Resumed(Program):
    """A program of a folder that `finial up` made."""

    def __init__(self, folder: Path, kind: str, config: str) -> None:
        arguments = [kind, "run", "--config", str(folder / "private" / config)]
        super().__init__(folder.with_name(f"{kind}.log"), arguments)


class Administrator:
    """Creates and deletes entries and tokens all the time, and remembers what was acknowledged."""

    def __init__(self, server: ServerProgram, parent: str) -> None:
        self.server = server
        self.parent = parent
        self.entries: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.tokens: list[dict[str, Any]] = []

    def act(self, number: int) -> None:
        with contextlib.suppress(httpx.TransportError):
            self._create(number)
            if number % 7 == 6:
                self._delete()
            if number % 20 == 0:
                self.tokens.append(self.server.token(ttl=600))

    @property
    def has_done_enough(self) -> bool:
        return len(self.entries) > 2 * ROUNDS and len(self.deleted) > 5 and len(self.tokens) > 3

    def _create(self, number: int) -> None:
        path = f"/killed/{number}"
        made = self.server.entry(self.parent, path, f"unix:uid:{200_000 + number}")
        self.entries[made["id"]] = path

    def _delete(self) -> None:
        # From here on nobody knows of this entry until its deletion is acknowledged.
        entry_id, _ = self.entries.popitem()
        if self.server.rest("DELETE", f"/v1/entries/{entry_id}").status_code == 204:
            self.deleted.add(entry_id)


class TokenHolder:
    """Fetches JWT-SVIDs all the time and remembers what it got."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self.ids: set[str] = set()

    def act(self, number: int) -> None:
        with contextlib.suppress(grpc.RpcError):
            for _, token in fetch_jwt(self._socket, f"audience-{number}", 3):
                self.ids.add(jwt.decode(token, options={"verify_signature": False})["jti"])


@contextlib.contextmanager
def restless(act: Callable[[int], None]) -> Iterator[None]:
    """Do something over and over in a thread; what it raises is raised at the end."""
    stop = threading.Event()

    def work() -> None:
        for number in itertools.count():
            if stop.wait(0.02):
                return
            act(number)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            yield
        finally:
            stop.set()
        future.result()


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[Path, str]]:
    """A folder that `finial up` made and left, and the id of its agent."""
    with short_folder() as folder:
        with up("--svid-ttl=8s", "--ca-ttl=100s", "--no-rate-limits", folder=folder / "d") as world:
            agent_id = world["agent_id"]
            world.register("/survivor", f"unix:uid:{os.getuid()}")
        yield folder / "d", agent_id


def test_nothing_acknowledged_is_lost_and_nothing_has_two_identities(
    place: tuple[Path, str],
) -> None:
    """After a hundred kills all that was acknowledged is there, once, and each serial has one owner."""
    folder, agent_id = place
    server = ServerProgram(folder)
    server_runs = Resumed(folder, "ca", "ca.toml")
    agent = Resumed(folder, "agent", "agent.toml")
    socket = folder / "workload" / "workload.sock"
    administrator = Administrator(server, agent_id)
    subscriber, holder = Subscriber(socket), TokenHolder(socket)
    joiners: list[AgentProgram] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(closing(server_runs, agent))
        server_runs.start()
        agent.start()
        eventually(lambda: refusal_of(lambda: fetch(socket))[0] is grpc.StatusCode.OK)
        joiners += [joiner(folder, server.token(), number) for number in range(JOINERS)]
        stack.enter_context(closing(*joiners))
        with restless(administrator.act), restless(holder.act), subscriber.open():
            kill_rounds(
                server,
                [server_runs, agent, *joiners],
                lambda: (
                    administrator.has_done_enough
                    and len(subscriber.serials) > 10
                    and len(holder.ids) > 50
                ),
            )
        eventually(lambda: reachable(server), 30, "the server serves again")
        eventually(
            lambda: refusal_of(lambda: fetch(socket))[0] is grpc.StatusCode.OK, 30, agent.said
        )
        check_rotation(server)
        check_entries(server, administrator)
        joined = [each.synced().agent_id for each in joiners]
        check_identities(server, agent_id, joined)
        check_ledger(server, subscriber, holder)
        check_tokens(server, administrator, folder, stack)


def joiner(folder: Path, token: dict[str, Any], number: int) -> AgentProgram:
    """A node that joins by a token; not started yet."""
    place = folder.with_name(f"joiner{number}.join")
    place.write_text(token["join"])
    return AgentProgram(folder.with_name(f"n{number}"), {"log_level": "info"}, join=place)


def kill_rounds(server: ServerProgram, programs: list[Program], enough: Callable[[], bool]) -> None:
    """Go on until enough was done meanwhile: a slow machine does less between two rounds."""
    chance = random.Random(7)
    authority, agent, *joiners = programs
    # Each round kills the server or the agent, and one of the nodes that join.
    for round_ in range(MOST_ROUNDS):
        if round_ >= ROUNDS and enough():
            return
        victims = [(authority, agent)[round_ % 2], joiners[round_ % len(joiners)]]
        if round_ < len(joiners):
            victims[1].start()
        if chance.random() < 0.8:
            eventually(lambda: reachable(server), 30, "the server serves")
            threading.Event().wait(chance.uniform(0.0, 0.8))
        else:
            threading.Event().wait(chance.uniform(0.0, 0.6))
        for victim in victims:
            assert victim.runs, victim.said
            victim.kill()
            victim.start()


def reachable(server: ServerProgram) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return server.rest("GET", "/v1/health/ready").status_code == 200
    return False


def check_rotation(server: ServerProgram) -> None:
    """The authorities went on rotating meanwhile: of each kind one signs and another is there."""
    known = Counter(each["use"] for each in server.every("/v1/authorities"))
    assert min(known["x509"], known["jwt"]) > 1, known


def check_entries(server: ServerProgram, administrator: Administrator) -> None:
    found = {entry["id"]: entry["spiffe_id"] for entry in server.every("/v1/entries")}
    lost = {
        id_: path
        for id_, path in administrator.entries.items()
        if found.get(id_) != f"spiffe://example.org{path}"
    }
    assert not lost, f"{len(lost)} of {len(administrator.entries)} entries are lost: {lost}"
    assert administrator.has_done_enough
    assert not administrator.deleted & found.keys()
    assert not [id_ for id_, count in Counter(found.values()).items() if count > 1]


def check_identities(server: ServerProgram, agent_id: str, joined: list[str]) -> None:
    """One agent for each node, however often its joining was cut short, and one owner a serial."""
    assert len(set(joined)) == JOINERS
    assert {agent["id"] for agent in server.every("/v1/agents")} == {agent_id, *joined}
    owners: dict[str, set[str]] = {}
    for row in server.every("/v1/issued"):
        owners.setdefault(row["serial"], set()).add(row["spiffe_id"])
    assert owners
    assert all(len(ids) == 1 for ids in owners.values())


def check_ledger(server: ServerProgram, subscriber: Subscriber, holder: TokenHolder) -> None:
    """What a workload was given, whenever that was, stands in the ledger."""
    written = {row["serial"] for row in server.every("/v1/issued")}
    assert len(subscriber.serials) > 10
    assert len(holder.ids) > 50
    assert subscriber.serials <= written
    assert holder.ids <= written


def check_tokens(
    server: ServerProgram,
    administrator: Administrator,
    folder: Path,
    stack: contextlib.ExitStack,
) -> None:
    """A token that was acknowledged and not spent still lets a node join, and a second one not."""
    known = {each["id"]: each["spent"] for each in server.every("/v1/join-tokens")}
    assert all(known[each["id"]] is False for each in administrator.tokens)
    last = administrator.tokens[0]
    first, second = (joiner(folder, last, 100 + number) for number in range(2))
    stack.enter_context(closing(first, second))
    assert first.begin().agent_id == last["agent_id"]
    second.start()
    assert second.ended() == 1
    assert "already been used" in second.said
