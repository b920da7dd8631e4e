"""Asking the service manager over D-Bus, and everything that can go wrong with that."""

import asyncio
import fcntl
import os
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from jeepney import DBusAddress, Message, new_method_return, new_signal

from attestors.workload.systemd import connection as wire
from attestors.workload.systemd.listener import PRIVATE, SYSTEM_BUS, Address, connect, judge
from attestors.workload.systemd.manager import PAUSES, ServiceManager
from attestors.workload.systemd.unit import ManagerAway, NoUnit, Unit
from finial.runtime.clock import SystemClock
from tests.doubles.service_manager import (
    ERROR,
    SYSTEMD,
    WEB,
    Answer,
    FakeServiceManager,
    refusing,
)

FOUND = Unit(
    "web.service",
    "/etc/systemd/system/web.service",
    "system.slice",
    bytes(range(16)).hex(),
    "/system.slice/web.service",
)
EMITTER = DBusAddress("/org/example", interface="org.example.Noise")


class HurriedClock(SystemClock):
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)  # noqa: TID251 - yields only


def manager(fake: FakeServiceManager, *addresses: Address) -> ServiceManager:
    return ServiceManager(HurriedClock(), addresses or (SYSTEM_BUS,), fake.connect)


def asked(
    fake: FakeServiceManager,
    *addresses: Address,
    ask: Callable[[ServiceManager], Awaitable[Any]] = lambda made: made.unit_of(os.getpid()),
) -> Any:
    async def whole() -> Any:
        made = manager(fake, *addresses)
        try:
            return await asyncio.wait_for(ask(made), 20)
        finally:
            made.close()

    return asyncio.run(whole())


def before(noise: bytes) -> Answer:
    """An answer that comes after something else."""

    def answered(message: Message) -> bytes:
        made: bytes = new_method_return(message, "o", (WEB,)).serialise(99)
        return noise + made

    return answered


def noise(size: int) -> bytes:
    made: bytes = new_signal(EMITTER, "Noise", "s", ("x" * size,)).serialise(7)
    return made


def ending(_: Message) -> None:
    raise EOFError


@pytest.mark.parametrize("address", [PRIVATE, SYSTEM_BUS])
def test_a_process_has_a_unit(address: Address) -> None:
    """Id, file, slice, invocation and control group are asked for; only a bus is greeted."""
    fake = FakeServiceManager()
    assert asked(fake, address) == FOUND
    assert ("Hello" in fake.seen) == address.is_bus


def test_a_process_is_named_by_a_descriptor() -> None:
    """Where the manager takes one, it is given a descriptor of the process (systemd 253)."""
    fake = FakeServiceManager()
    assert asked(fake) == FOUND
    assert fake.pids == [os.getpid()]
    assert "GetUnitByPID" not in fake.seen


@pytest.mark.parametrize("name", ["UnknownMethod", "AccessDenied"])
def test_an_older_manager_is_told_the_pid(name: str) -> None:
    """A manager without that method is asked by PID, and not tried again on this connection."""
    fake = FakeServiceManager({"GetUnitByPIDFD": refusing(f"{ERROR}.{name}")})

    async def twice(made: ServiceManager) -> None:
        assert await made.unit_of(os.getpid()) == FOUND
        assert await made.unit_of(os.getpid()) == FOUND

    asked(fake, ask=twice)
    assert (fake.seen.count("GetUnitByPIDFD"), fake.seen.count("GetUnitByPID")) == (1, 2)


def test_a_bus_that_passes_no_descriptors_is_told_the_pid() -> None:
    """Where descriptors cannot be passed, none is sent."""
    fake = FakeServiceManager(descriptors=False)
    assert asked(fake) == FOUND
    assert "GetUnitByPIDFD" not in fake.seen


def test_a_flood_leaves_others_their_turn() -> None:
    """Anybody on the bus may send us signals without end: between two portions others go on."""
    flood = noise(100) * 500

    async def turns() -> int:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.sendall(b"OK 1234\r\nAGREE_UNIX_FD\r\n")
        connection = wire.Connection(ours)
        await connection.open()
        theirs.sendall(flood)
        count = 0
        while _waiting(ours):
            await asyncio.sleep(0)  # noqa: TID251 - yields only
            count += 1
        connection.close()
        theirs.close()
        return count

    assert asyncio.run(turns()) >= len(flood) // 16_384


def _waiting(sock: socket.socket) -> int:
    """How many bytes have come and were not received."""
    return int.from_bytes(fcntl.ioctl(sock, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_process_that_has_ended_has_no_unit() -> None:
    """A process of which there is no descriptor any more is in no unit."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(NoUnit):
        asked(FakeServiceManager(), ask=lambda made: made.unit_of(ended.pid))


@pytest.mark.parametrize("name", ["NoUnitForPID", "NoSuchUnit"])
def test_the_manager_may_know_of_no_unit(name: str) -> None:
    """That a process is in no unit is an answer, not a failure."""
    with pytest.raises(NoUnit):
        asked(FakeServiceManager({"GetUnitByPIDFD": refusing(f"{SYSTEMD}.{name}")}))


def test_the_manager_has_a_version() -> None:
    """The version is what a diagnosis shows."""
    assert asked(FakeServiceManager(), ask=lambda made: made.version()) == "259"


@pytest.mark.parametrize("size", [0, 100, wire.MAX_MESSAGE, 3_000_000])
def test_what_others_send_is_skipped(size: int) -> None:
    """A signal of any size, which anybody on the bus may send, changes nothing."""
    assert asked(FakeServiceManager({"GetUnitByPIDFD": before(noise(size))})) == FOUND


def test_an_answer_nobody_asked_for_is_ignored() -> None:
    """An answer with another number is thrown away."""

    def twice(message: Message) -> bytes:
        wrong = new_method_return(message, "s", ("wrong",))
        wrong.header.fields[5] = 4_000
        right = new_method_return(message, "o", (WEB,))
        made: bytes = wrong.serialise(98) + right.serialise(99)
        return made

    assert asked(FakeServiceManager({"GetUnitByPIDFD": twice})) == FOUND


def oversized(message: Message) -> bytes:
    made: bytes = new_method_return(message, "s", ("x" * wire.MAX_MESSAGE,)).serialise(9)
    return made


def broken(message: Message) -> bytes:
    made: bytes = new_method_return(message, "o", (WEB,)).serialise(9)
    return made[:20] + b"\xff" * 40 + made[60:]


def unfinished(message: Message) -> bytes:
    """An answer whose text does not end as texts do."""
    made: bytes = new_method_return(message, "s", ("text",)).serialise(9)
    return made[:-1] + b"\x01"


@pytest.mark.parametrize(
    "answer",
    [
        ending,
        oversized,
        broken,
        lambda message: b"l\x02" + b"\xff" * 64,
        lambda message: b"\x00" * 64,
        unfinished,
        lambda message: new_method_return(message, "u", (7,)),
        new_method_return,
        refusing(f"{ERROR}.NoReply"),
        refusing(f"{ERROR}.Failed"),
    ],
    ids=[
        "end",
        "large",
        "broken",
        "long",
        "zeros",
        "unfinished",
        "type",
        "empty",
        "no reply",
        "refusal",
    ],
)
def test_nonsense_is_a_manager_that_is_away(answer: Answer) -> None:
    """Whatever comes instead of an answer is a failure that says so, after a few attempts."""
    fake = FakeServiceManager({"GetUnitByPIDFD": answer})
    with pytest.raises(ManagerAway):
        asked(fake)
    assert 1 <= fake.connections <= len(PAUSES) + 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Id", ("u", 7)),
        ("InvocationID", ("s", "text")),
        ("ControlGroup", ("as", ["/a"])),
    ],
)
def test_a_property_of_another_type_is_nonsense(name: str, value: tuple[str, Any]) -> None:
    """A property that is not what the interface says is not used."""
    fake = FakeServiceManager()
    fake.properties[name] = value
    with pytest.raises(ManagerAway, match="makes no sense"):
        asked(fake)


@pytest.mark.parametrize(
    "greeting",
    [b"REJECTED EXTERNAL\r\n", b"x" * 10_000, b"", b"OK 1\r\nAGREE_UNIX_FD\r\nand more"],
    ids=["rejected", "endless", "silent", "more"],
)
def test_a_bus_that_greets_otherwise_is_no_bus(greeting: bytes) -> None:
    """Only who answers the greeting as D-Bus does is asked anything."""
    fake = FakeServiceManager(greeting=greeting)

    async def briefly(made: ServiceManager) -> None:
        async with asyncio.timeout(1.0):
            await made.version()

    with pytest.raises((ManagerAway, TimeoutError)):
        asked(fake, ask=briefly)
    assert fake.seen == []


def test_a_manager_that_comes_back_is_asked_again() -> None:
    """An end of the connection, as when the manager is replaced, is not the caller's affair."""
    ends = iter([ending, ending])

    def answered(message: Message) -> Any:
        return next(ends, before(b""))(message)

    fake = FakeServiceManager({"GetUnitByPIDFD": answered})
    assert asked(fake) == FOUND
    assert fake.connections == 3


def test_a_connection_is_kept() -> None:
    """Many questions, also side by side, need one connection."""
    fake = FakeServiceManager()

    async def many(made: ServiceManager) -> list[Unit]:
        return list(await asyncio.gather(*(made.unit_of(os.getpid()) for _ in range(100))))

    assert asked(fake, ask=many) == [FOUND] * 100
    assert fake.connections == 1


def test_who_gives_up_disturbs_nobody() -> None:
    """A caller whose time is over leaves the connection to the others."""
    slow = iter([True])

    def answered(message: Message) -> Any:
        return None if next(slow, False) else before(b"")(message)

    fake = FakeServiceManager({"GetUnitByPIDFD": answered})

    async def both(made: ServiceManager) -> Unit:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await made.unit_of(os.getpid())
        return await made.unit_of(os.getpid())

    assert asked(fake, ask=both) == FOUND
    assert fake.connections == 1


def test_the_first_address_that_answers_is_used() -> None:
    """Where one socket is of no use the next one is tried, and all faults are named."""
    fake = FakeServiceManager()

    def reach(address: Address) -> Any:
        if address is PRIVATE:
            raise ManagerAway("not this one")
        return fake.connect(address)

    async def whole(*addresses: Address) -> Unit:
        made = ServiceManager(HurriedClock(), addresses, reach)
        try:
            return await made.unit_of(os.getpid())
        finally:
            made.close()

    assert asyncio.run(whole(PRIVATE, SYSTEM_BUS)) == FOUND
    with pytest.raises(ManagerAway, match="not this one; not this one"):
        asyncio.run(whole(PRIVATE, PRIVATE))


def test_process_1_has_to_listen() -> None:
    """Only process 1 of our own PID namespace, as root, is the manager of our processes."""
    judge(1, 0, 0, "/run/systemd/private")
    for pid, uid in ((0, 0), (2, 0), (1, 1000), (4711, 4711)):
        with pytest.raises(ManagerAway, match="PID namespace"):
            judge(pid, uid, 0, "/run/systemd/private")


def test_somebody_elses_socket_is_not_used(tmp_path: Any) -> None:
    """A socket that this test opened is not the manager's, nor is one that is not there."""
    path = str(tmp_path / "bus")
    with pytest.raises(ManagerAway, match="cannot be reached"):
        connect(Address(path, is_bus=True))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(0)
        with pytest.raises(ManagerAway, match=f"process {os.getpid()} of uid"):
            connect(Address(path, is_bus=True))


def test_sizes_of_messages_are_bounded() -> None:
    """A header that announces more than is allowed ends the connection before anything is kept."""
    huge = struct.pack("<BBBBIII", ord("l"), 2, 0, 1, 2**31, 9, 8)
    with pytest.raises(ManagerAway):
        asked(FakeServiceManager({"GetUnitByPIDFD": lambda message: huge}))
