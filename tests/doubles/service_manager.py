"""Something that speaks D-Bus as systemd's manager does, and can be told how to misbehave."""

import array
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jeepney import HeaderFields, Message, Parser, new_error, new_method_return

from attestors.workload.systemd.listener import Address

SYSTEMD: Final = "org.freedesktop.systemd1"
ERROR: Final = "org.freedesktop.DBus.Error"
WEB: Final = "/org/freedesktop/systemd1/unit/web_2eservice"
PROPERTIES: Final[Mapping[str, tuple[str, Any]]] = {
    "Version": ("s", "259"),
    "Id": ("s", "web.service"),
    "FragmentPath": ("s", "/etc/systemd/system/web.service"),
    "InvocationID": ("ay", bytes(range(16))),
    "Slice": ("s", "system.slice"),
    "ControlGroup": ("s", "/system.slice/web.service"),
}

Answer = Callable[[Message], "Message | bytes | None"]


def refusing(name: str) -> Answer:
    return lambda message: new_error(message, name, "s", ("no",))


@dataclass
class FakeServiceManager:
    """Answers on every connection; `answers` by method go before its own.

    What an answer gives as bytes is sent as it is; nothing means no answer, and EOFError ends the
    connection. `greeting` is sent at once, `seen` are the methods called, `pids` the processes
    that descriptors meant.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    properties: dict[str, tuple[str, Any]] = field(default_factory=lambda: dict(PROPERTIES))
    descriptors: bool = True
    greeting: bytes | None = None
    seen: list[str] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    connections: int = 0

    def connect(self, address: Address) -> socket.socket:
        """What stands in for connecting to a socket and judging who listens."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.connections += 1
        threading.Thread(target=self._serve, args=(theirs,), daemon=True).start()
        return ours

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, EOFError):
            rest = self._greet(sock)
            if rest is None:
                return
            parser = Parser()
            parser.add_data(rest)
            while True:
                while (message := parser.get_next_message()) is not None:
                    self._take(sock, message)
                data, ancillary, _, _ = sock.recvmsg(4096, socket.CMSG_SPACE(4))
                if not data:
                    return
                parser.add_data(data, self._descriptors(ancillary))

    def _greet(self, sock: socket.socket) -> bytes | None:
        received = b""
        while not received.endswith(b"BEGIN\r\n"):
            chunk = sock.recv(4096)
            if not chunk:
                return None
            received += chunk
        agreed = b"AGREE_UNIX_FD\r\n" if self.descriptors else b"ERROR\r\n"
        sock.sendall(b"OK 1234\r\n" + agreed if self.greeting is None else self.greeting)
        return b""

    def _descriptors(self, ancillary: list[tuple[int, int, bytes]]) -> list[Any]:
        found = array.array("i")
        for _, _, data in ancillary:
            found.frombytes(data)
        for descriptor in found:
            with open(f"/proc/self/fdinfo/{descriptor}") as file:
                lines = dict(line.split(":", 1) for line in file)
            self.pids.append(int(lines["Pid"]))
            os.close(descriptor)
        return list(found)

    def _take(self, sock: socket.socket, message: Message) -> None:
        method = message.header.fields[HeaderFields.member]
        self.seen.append(method)
        made = self.answers.get(method, self._own)(message)
        if isinstance(made, Message):
            made = made.serialise(len(self.seen))
        if made:
            sock.sendall(made)

    def _own(self, message: Message) -> Message:
        match message.header.fields[HeaderFields.member]:
            case "GetUnitByPID":
                return new_method_return(message, "o", (WEB,))
            case "GetUnitByPIDFD":
                return new_method_return(message, "osay", (WEB, "web.service", bytes(16)))
            case "Get":
                return new_method_return(message, "v", (self.properties[message.body[1]],))
            case "Hello":
                return new_method_return(message, "s", (":1.7",))
        return new_error(message, f"{ERROR}.UnknownMethod", "s", ("no such method",))
