"""What an engine answers is bounded in size, time and shape."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from attestors.workload.docker.documents import ContainerDocument, EngineAway
from attestors.workload.docker.engine import MAX_ANSWER, MAX_AT_ONCE, Engine
from finial.runtime.clock import SystemClock
from tests.doubles.engine_api import EngineApi, document, raw

ID = "ab" * 32
PATH = f"/containers/{ID}/json"


def engine(path: Path, timeout: float = 5.0, version: str = "", owner: int = 0) -> Engine:
    owners = {owner} if owner else {0, os.geteuid()}
    return Engine(
        "Docker", str(path), 0, owners, clock=SystemClock(), timeout=timeout, version=version
    )


def ask(api: EngineApi, timeout: float = 5.0) -> ContainerDocument | None:
    async def asked() -> ContainerDocument | None:
        return await engine(api.path, timeout).container(ID, SystemClock().monotonic() + 5)

    return asyncio.run(asked())


def test_a_container_is_what_the_engine_says(api: EngineApi) -> None:
    """Members that are of no use are skipped, whatever they are."""
    api.container(ID, 7, labels={"app": "web", "empty": None}, Mounts=[{"a": [1, None]}])
    found = ask(api)
    assert found is not None
    assert (found.id, found.state.pid, found.name) == (ID, 7, "/web-1")
    assert found.config.labels == {"app": "web", "empty": None}


def test_an_unknown_container_is_none(api: EngineApi) -> None:
    """404 is an answer, not a failure."""
    assert ask(api) is None


def test_a_container_of_that_name_is_another(api: EngineApi) -> None:
    """People choose names; an engine looks for those too, and the ID tells them apart."""
    api.answers[PATH] = document({"Id": "cd" * 32, "Name": f"/{ID}", "State": {"Pid": 7}})
    assert ask(api) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"Id": 5}',
        b'{"State": {}}',
        b'{"Id": "x", "State": {"Pid": "one"}}',
        b'{"Id": "x", "State": null}',
        b'{"Id": "x", "Config": {"Labels": ["a"]}}',
        b'{"Id": "x", "Config": {"Env": {"a": "b"}}}',
        b'{"Id": "\\ud800"}',
        b'{"Config": {"Labels": {' + b",".join(b'"%d":""' % n for n in range(2000)) + b"}}}",
    ],
)
def test_nonsense_is_a_failure(api: EngineApi, body: bytes) -> None:
    """Whatever it is, it is an engine that is away, never another exception."""
    api.answers[PATH] = raw(body)
    with pytest.raises(EngineAway, match="answers nonsense"):
        ask(api)


@pytest.mark.parametrize("status", ["500 Oh", "403 No", "302 Found", "204 None", "101 Up"])
def test_other_answers_are_failures(api: EngineApi, status: str) -> None:
    """A redirection is not followed: an engine has nowhere to send us."""
    api.answers[PATH] = raw(b"{}", status, "location: http://127.0.0.1:1/elsewhere")
    with pytest.raises(EngineAway):
        ask(api)
    assert api.asked[0] == PATH
    assert set(api.asked) == {PATH}


def test_what_is_not_http_is_a_failure(api: EngineApi) -> None:
    """Somebody else's server at that socket does no harm."""
    api.answers[PATH] = b"\x00\x01\x02 hello\r\n\r\n"
    with pytest.raises(EngineAway):
        ask(api)


def test_a_huge_answer_is_cut_off(api: EngineApi) -> None:
    """No more is read than allowed, also if the length was not told."""

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        block = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        while True:
            connection.sendall(block)

    api.answers[PATH] = endless
    with pytest.raises(EngineAway, match=f"answers more than {MAX_ANSWER} bytes"):
        ask(api)


def test_endless_headers_are_cut_off(api: EngineApi) -> None:
    """Neither are headers read without end."""

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"x-more: " + b"y" * 8192 + b"\r\n")

    api.answers[PATH] = endless
    with pytest.raises(EngineAway):
        ask(api)


def test_a_small_answer_that_is_compressed_is_not_unpacked(api: EngineApi) -> None:
    """We did not ask for compression, and unpack no bomb."""
    api.answers[PATH] = raw(b"\x1f\x8b\x08", "200 OK", "content-encoding: gzip")
    with pytest.raises(EngineAway, match="nonsense"):
        ask(api)


def _silent(connection: socket.socket) -> None:
    connection.recv(1)


def _dripping(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        connection.settimeout(0.02)
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            continue


@pytest.mark.parametrize("slow", [_silent, _dripping])
def test_a_slow_answer_is_not_waited_for(
    api: EngineApi, slow: Callable[[socket.socket], None]
) -> None:
    """The whole question has one time, however often a byte comes."""
    api.answers[PATH] = slow
    begin = SystemClock().monotonic()
    with pytest.raises(EngineAway):
        ask(api, timeout=0.2)
    assert SystemClock().monotonic() - begin < 3


def test_questions_wait_for_their_turn_no_longer_than_they_may(api: EngineApi) -> None:
    """A crowd in front of an engine that hangs ends when each one's time is over."""
    api.answers[PATH] = _silent

    async def crowd() -> list[object]:
        asked = engine(api.path, timeout=0.3)
        deadline = SystemClock().monotonic() + 5
        questions = [asked.container(ID, deadline) for _ in range(3 * MAX_AT_ONCE)]
        return await asyncio.gather(*questions, return_exceptions=True)

    outcomes = asyncio.run(crowd())
    assert all(isinstance(each, EngineAway) for each in outcomes)


def test_only_so_many_questions_are_asked_at_once(api: EngineApi) -> None:
    """However many workloads come at once, an engine is not overrun."""
    together = threading.Barrier(MAX_AT_ONCE, timeout=10)
    counting = threading.Lock()
    answer = document({"Id": ID})
    now: list[int] = [0]
    most: list[int] = [0]

    def counted(connection: socket.socket) -> None:
        with counting:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait()
        with counting:
            now[0] -= 1
        connection.sendall(answer)

    api.answers[PATH] = counted

    async def crowd() -> None:
        asked = engine(api.path, timeout=20)
        deadline = SystemClock().monotonic() + 20
        questions = [asked.container(ID, deadline) for _ in range(3 * MAX_AT_ONCE)]
        assert all(await asyncio.gather(*questions))

    asyncio.run(crowd())
    assert most[0] == MAX_AT_ONCE


def test_no_time_left_is_no_question(api: EngineApi) -> None:
    """A deadline that has passed is kept."""

    async def late() -> None:
        await engine(api.path).container(ID, SystemClock().monotonic() - 1)

    with pytest.raises(EngineAway, match="took too long"):
        asyncio.run(late())
    assert not api.asked


def test_an_engine_that_is_not_there_is_away(tmp_path: Path) -> None:
    """The message names the engine, the place and what the kernel said."""

    async def asked() -> None:
        await engine(tmp_path / "no.sock").container(ID, SystemClock().monotonic() + 0.2)

    with pytest.raises(EngineAway, match=r"Docker at .*no\.sock: No such file or directory"):
        asyncio.run(asked())


def test_somebody_elses_engine_is_not_asked(api: EngineApi) -> None:
    """It gets no question, not even one that it would answer."""

    async def asked() -> None:
        await engine(api.path, owner=61_234).container(ID, SystemClock().monotonic() + 1)

    with pytest.raises(EngineAway, match="Docker is not asked"):
        asyncio.run(asked())
    assert not api.asked


def test_an_engine_that_comes_back_is_asked_again(api: EngineApi) -> None:
    """A connection that was cut, as by a restart, is not the end."""
    connections: list[socket.socket] = []

    def restarting(connection: socket.socket) -> None:
        connections.append(connection)
        api.container(ID, 7)

    api.answers[PATH] = restarting
    found = ask(api)
    assert found is not None
    assert len(api.asked) == 2


def test_a_version_can_be_insisted_on(api: EngineApi) -> None:
    """`docker_version` goes into every path, as SPIRE's setting does."""
    api.answers["/v1.44/version"] = document({"Version": "29.1", "ApiVersion": "1.52"})

    async def asked() -> str:
        made = engine(api.path, version="1.44")
        return (await made.version(SystemClock().monotonic() + 5)).api_version

    assert asyncio.run(asked()) == "1.52"


def test_an_engine_without_a_version_is_none(api: EngineApi) -> None:
    """Something that answers 404 to everything is no engine."""

    async def asked() -> None:
        await engine(api.path).version(SystemClock().monotonic() + 5)

    with pytest.raises(EngineAway, match="does not know its own version"):
        asyncio.run(asked())
