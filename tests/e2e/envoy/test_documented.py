"""The configurations of docs/envoy.md, as they stand there."""

import http.server
import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.doubles.envoy import Envoy, envoys
from tests.doubles.programs import ROOT, Up

PAGE = ROOT / "docs" / "envoy.md"


def documented(world: Up, place: Path) -> tuple[Envoy, Envoy, int]:
    """Both Envoys of the page, with paths and ports of this test, and the port of orders'."""
    ports = {8443: free_port(), 8080: free_port()}
    changes = {
        "/run/finial/workload/workload.sock": world["workload_socket"],
        "/run/shop/payment.sock": str(place / "service.sock"),
        "/run/envoy/payment.sock": str(place / "payment" / "admin.sock"),
        "/run/envoy/orders.sock": str(place / "orders" / "admin.sock"),
        **{f"port_value: {port}": f"port_value: {free}" for port, free in ports.items()},
    }
    payment, orders = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for old, new in changes.items():
        payment, orders = payment.replace(old, new), orders.replace(old, new)
    return Envoy(place, "payment", payment), Envoy(place, "orders", orders), ports[8080]


def free_port() -> int:
    """A port that is free at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


class _Service(http.server.BaseHTTPRequestHandler):
    """Payment, which knows nothing of TLS."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "4")
        self.end_headers()
        self.wfile.write(b"paid")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        return "a Unix socket"


@contextmanager
def service(path: Path) -> Iterator[None]:
    """Serve payment on a Unix socket."""
    with socketserver.ThreadingUnixStreamServer(str(path), _Service) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield
        server.shutdown()


def test_the_documented_envoys_meet(world: Up, place: Path) -> None:
    """Copied from the page, with other paths and ports, they do what it says."""
    payment, orders, port = documented(world, place)
    with service(place / "service.sock"), envoys(payment, orders):
        answer = httpx.get(f"http://127.0.0.1:{port}/transaction", timeout=20)
        assert (answer.status_code, answer.text) == (200, "paid")
        assert payment.total(r"listener\..*\.ssl\.handshake") == 1
