"""The services of the shop. None of them knows of TLS, of keys or of finial.

    shop.py gateway|orders|payment|batch FOLDER FRONT

What a service serves it serves on a Unix socket in FOLDER, and whom it calls it calls through
FOLDER/out.sock: behind both is its Envoy. FRONT is the socket at which customers (the runner)
make gateway, orders and batch do something.
"""

import http.client
import json
import os
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

PATIENCE = 15.0


class Socket(http.client.HTTPConnection):
    """HTTP to a Unix socket; `host` says whom of those behind it is meant."""

    def __init__(self, path: Path, host: str) -> None:
        super().__init__(host, timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def post(path: Path, host: str, target: str) -> dict:
    """Make one request; the answer is what was said, with the status."""
    connection = Socket(path, host)
    try:
        connection.request("POST", target, headers={"content-length": "0"})
        answer = connection.getresponse()
        return {**_read(answer.read()), "status": answer.status}
    except (OSError, http.client.HTTPException) as fault:
        return {"status": 0, "text": f"{type(fault).__name__}: {fault}"}
    finally:
        connection.close()


def _read(body: bytes) -> dict:
    try:
        return json.loads(body)
    except ValueError:
        return {"text": body[:200].decode(errors="replace")}


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers POST on a Unix socket by what `answer` makes of path and headers."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: Path, mode: int, answer) -> None:
        self.answer = answer
        before = os.umask(0o777 & ~mode)
        try:
            super().__init__(str(path), Request)
        finally:
            os.umask(before)

    def begin(self) -> None:
        """Serve beside what else there is to do."""
        threading.Thread(target=self.serve_forever).start()


class Request(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer."""
        said = self.server.answer(self.path, self.headers)
        body = json.dumps(said).encode()
        # Whoever asked for it is told that what was needed was refused, and by whom.
        self.send_response(200 if said.get("status", 200) == 200 else 502)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def gateway(folder: Path, front: Path) -> list[Server]:
    """Customers buy; and somebody tries to get to payment past orders."""

    def answer(path: str, _: object) -> dict:
        _, wish, number = path.split("/")
        if wish == "buy":
            return post(folder / "out.sock", "orders", f"/orders/{number}")
        return post(folder / "out.sock", "payment", f"/transaction/{number}")

    return [Server(front, 0o600, answer)]


def orders(folder: Path, front: Path) -> list[Server]:
    """Takes orders, for which payment has to be made."""

    def answer(path: str, _: object) -> dict:
        return post(folder / "out.sock", "payment", f"/transaction/{path.rpartition('/')[2]}")

    return [Server(folder / "in.sock", 0o660, answer), Server(front, 0o600, answer)]


def payment(folder: Path, front: Path) -> list[Server]:
    """Takes payments: of orders at the till, of batch in the back office."""

    def at(place: str) -> Server:
        def answer(path: str, headers) -> dict:
            return {"paid": path, "at": place, "caller": headers.get("x-spiffe-caller", "")}

        return Server(folder / f"{place}.sock", 0o660, answer)

    return [at("till"), at("office")]


def batch(folder: Path, front: Path) -> list[Server]:
    """Makes the same payments as orders, many, and nobody waits for them."""

    def answer(path: str, _: object) -> dict:
        return post(folder / "out.sock", "payment", f"/transaction/{path.rpartition('/')[2]}")

    return [Server(front, 0o600, answer)]


if __name__ == "__main__":
    roles = {"gateway": gateway, "orders": orders, "payment": payment, "batch": batch}
    for server in roles[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3])):
        server.begin()
    print("ready", flush=True)
