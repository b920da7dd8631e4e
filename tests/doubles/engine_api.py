"""An engine that says what a test wants, on a socket as a real one's."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Answer = bytes | Callable[[socket.socket], None]


def document(value: object, status: str = "200 OK") -> bytes:
    """An HTTP answer with a JSON document."""
    return raw(json.dumps(value).encode(), status)


def raw(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


NOT_FOUND = document({"message": "no such container"}, "404 Not Found")


class EngineApi:
    """Answers each path as told, and everything else with 404; `asked` has every path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def container(self, id_: str, pid: int, **members: Any) -> None:
        """Know a container whose image is `sha256:1111...`."""
        config = {"Image": "web:1", "Labels": members.pop("labels", {}), "Env": None}
        config.update(members.pop("config", {}))
        self.answers[f"/containers/{id_}/json"] = document(
            {
                "Id": id_,
                "Name": "/web-1",
                "Image": f"sha256:{'1' * 64}",
                "State": {"Pid": pid, "Running": bool(pid)},
                "Config": config,
                **members,
            }
        )

    def image(self, **config: Any) -> None:
        """Know the image of all containers."""
        path = f"/images/sha256:{'1' * 64}/json"
        self.answers[path] = document({"Id": f"sha256:{'1' * 64}", "Config": config})

    def close(self) -> None:
        # Whoever waits in accept is only woken by this.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                chunk = connection.recv(4096)
                if not chunk:
                    return
                request += chunk
            path = request.split(b" ")[1].decode()
            self.asked.append(path)
            answer = self.answers.get(path, NOT_FOUND)
            if callable(answer):
                answer(connection)
            else:
                connection.sendall(answer)


@contextlib.contextmanager
def engine_api(path: Path) -> Iterator[EngineApi]:
    api = EngineApi(path)
    try:
        yield api
    finally:
        api.close()
