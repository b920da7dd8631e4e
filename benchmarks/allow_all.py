"""An ext_authz server that allows everything: what a decision costs when nothing is decided.

python -m benchmarks.allow_all SOCKET
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from finial.wire.grpc.limits import Limits
from finial.wire.grpc.server import Server
from finial.wire.grpc.service import service
from finial.wire.pb import envoy_authz_pb2

_AUTHORIZATION = envoy_authz_pb2.DESCRIPTOR.services_by_name["Authorization"]


@contextmanager
def allow_all() -> Iterator[tuple[int, str]]:
    """Run it; its process and its socket."""
    with tempfile.TemporaryDirectory(prefix="finial-bench-") as folder:
        socket = f"{folder}/s"
        command = [sys.executable, "-m", "benchmarks.allow_all", socket]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process.pid, socket
        finally:
            process.terminate()
            process.wait()


async def main() -> None:
    """Serve until we are ended."""
    answer = envoy_authz_pb2.CheckResponse()
    answer.ok_response.SetInParent()
    server: Server[Any] = Server(
        [service(_AUTHORIZATION, {"Check": lambda call, request: answer})],
        identify=lambda transport: transport,
        limits=Limits(max_connections_per_key=1000),
    )
    await server.listen_unix(Path(sys.argv[1]), 0o600)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
