"""An agent is killed between the server's spending of its token and the answer."""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from finial.wire.join_string import JoinString, split_address
from tests.doubles.nodes import AgentProgram, ServerProgram, closing
from tests.doubles.programs import eventually, short_folder

pytestmark = pytest.mark.slow


class SlowLink:
    """Hands bytes on between agents and a server; of the second connection only what is allowed."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        # The handshake, and the greeting of HTTP/2.
        self._allowed = threading.Semaphore(2)

    @contextmanager
    def open(self) -> Iterator["SlowLink"]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._listening.close()

    def allow_more(self) -> None:
        """Let one more portion of what the server says pass."""
        self._allowed.release()

    def _accept(self) -> None:
        with suppress(OSError):
            for number in itertools.count(1):
                agent, _ = self._listening.accept()
                server = socket.create_connection(self._server)
                for ends in ((agent, server, False), (server, agent, number == 2)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, held: bool) -> None:
        with suppress(OSError), source, target:
            while said := source.recv(65_536):
                if held:
                    self._allowed.acquire()
                target.sendall(said)


@pytest.fixture
def place() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


def spent(server: ServerProgram) -> list[bool]:
    return [each["spent"] for each in server.every("/v1/join-tokens")]


def test_an_agent_killed_before_the_answer_came_joins_with_the_same_key(place: Path) -> None:
    """A token that was spent by a key serves that key again, and no other (BN-01)."""
    server = ServerProgram(place / "ca")
    agent = AgentProgram(place / "agent", join=place / "join")
    other = AgentProgram(place / "other", join=place / "join")
    with closing(server, agent, other):
        server.begin()
        made = server.token()
        with SlowLink(split_address(JoinString.parse(made["join"]).servers[0])).open() as link:
            text = JoinString.parse(made["join"])
            near = JoinString(text.trust_domain, (f"127.0.0.1:{link.port}",), text.token)
            (place / "join").write_text(near.render())
            agent.start()
            until_spent(link, server)
            agent.kill()
            assert not list(agent.folder.rglob("agent.json")), "the answer came before the kill"
            key = key_of(agent)
            other.start()
            assert other.ended() == 1
            assert "already been used" in other.said
            assert agent.begin().agent_id == made["agent_id"]
            assert key_of(agent) == key
        assert [each["id"] for each in server.every("/v1/agents")] == [made["agent_id"]]
        serials = [row["serial"] for row in server.every("/v1/issued")]
        assert len(serials) == len(set(serials))


def until_spent(link: SlowLink, server: ServerProgram) -> None:
    """Wait for the server to spend the token, while its answer is held back."""
    for _ in range(20):
        with suppress(AssertionError):
            eventually(lambda: spent(server) == [True], 2)
            return
        link.allow_more()
    raise AssertionError("the token was never spent")


def key_of(agent: AgentProgram) -> bytes:
    [key] = agent.folder.rglob("agent-svid-*.pkcs8")
    return key.read_bytes()
