"""A connection to the server that stops carrying anything, as a bad network does."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Wire:
    """Hands on every byte between its own port and another one, until it is cut."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._whole = threading.Event()
        self._whole.set()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return "{}:{}".format(*self._listener.getsockname())

    def cut(self) -> None:
        """Carry nothing any more; both ends believe that the other one is silent."""
        self._whole.clear()

    def sever(self) -> None:
        """End every connection; new ones carry nothing."""
        while self._open:
            each = self._open.pop()
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._whole.set()

    def close(self) -> None:
        self.mend()
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := one.recv(65536):
                self._whole.wait()
                other.sendall(said)
            other.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def wire(target: tuple[str, int]) -> Iterator[Wire]:
    """A wire to a server, taken away at the end."""
    made = Wire(target)
    try:
        yield made
    finally:
        made.close()
