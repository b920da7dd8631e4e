"""A FastAPI service that shows its SVID and lets in one caller.

    server.py CALLER_ID [PORT]

Its identity comes from the Workload API (SPIFFE_ENDPOINT_SOCKET) and stays fresh while it runs.
"""

import asyncio
import json
import socket
import sys

import uvicorn
from caller import WithCaller
from fastapi import FastAPI, Request
from spiffe import X509Source

from finial.client import server_context

app = FastAPI()


@app.get("/price")
async def price(request: Request) -> dict:
    """Answer whoever got through the handshake."""
    return {"price": 42, "asked_by": request.state.caller}


async def main(caller: str, port: int) -> None:
    """Serve until SIGTERM."""
    with X509Source(timeout_in_seconds=20) as source:
        tls = server_context(source, lambda spiffe_id: str(spiffe_id) == caller)
        config = uvicorn.Config(
            app,
            http=WithCaller,
            ssl_context_factory=lambda _config, _default: tls,
            log_level="warning",
        )
        with socket.create_server(("127.0.0.1", port)) as listener:
            print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
            await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0))
