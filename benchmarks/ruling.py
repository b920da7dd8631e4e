"""An agent program that decides by so many rules, and what a proxy asks it.

The agent is the real program; its server is a scripted one in this process, because registering
10,000 rules one by one is another matter than deciding by them.
"""

import asyncio
import json
import os
import shutil
import struct
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finial.policy.decision import Mode
from finial.policy.document import PolicyDocument, PolicyText
from finial.policy.statement import Form
from finial.runtime.clock import SystemClock
from finial.wire.pb import envoy_authz_pb2
from tests.doubles.ca import SmallCa
from tests.doubles.nodes import AgentProgram
from tests.doubles.scripted_server import DOMAIN, ScriptedServer

PAYMENT = "spiffe://example.org/payment"
NUMBER = "000000000"
"""Stands where the driver gives each request a number of its own."""

_PATIENCE = 60.0
_BEAT = 5.0


@dataclass
class Ruling:
    """A running agent; `learn` gives it rules."""

    agent: AgentProgram
    server: ScriptedServer
    loop: asyncio.AbstractEventLoop
    version: int = 0

    @property
    def pid(self) -> int:
        return self.agent.pid

    @property
    def workload_socket(self) -> str:
        return str(self.agent.workload_socket)

    def learn(self, rules: int) -> None:
        """Have it enforce so many rules, each for another caller of payment."""
        self.version += 1
        version = self.version
        document = PolicyDocument(
            version=version,
            callees={PAYMENT: Mode.ENFORCE},
            policies=tuple(_rule(number) for number in range(rules)),
        ).encoded()
        self.loop.call_soon_threadsafe(self.server.tell, "policies", version, document)
        deadline = time.monotonic() + _PATIENCE
        while not any(
            up.applied.topic == "policies" and up.applied.version == version
            for up in tuple(self.server.ups)
        ):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the agent does not enforce {rules} rules")
            time.sleep(0.05)


@contextmanager
def ruling() -> Iterator[Ruling]:
    """Run the agent until the measure is over."""
    folder = Path(tempfile.mkdtemp(prefix="finial-bench-"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(act: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(act, loop).result(_PATIENCE)

    clock = SystemClock()
    server = ScriptedServer(clock, SmallCa(now=clock.now()))
    run(server.start())
    beating = asyncio.run_coroutine_threadsafe(_beat(server), loop)
    agent = _program(folder, server)
    try:
        server.entry("p", "/payment", f"unix:uid:{os.geteuid()}")
        agent.begin()
        yield Ruling(agent, server, loop)
    finally:
        agent.kill()
        beating.cancel()
        run(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        shutil.rmtree(folder, ignore_errors=True)


def write_requests(file: Path, rules: int, count: int = 2000) -> None:
    """Requests as Envoy makes them, in a random order; one caller in four has no rule.

    Those that are allowed are spread over all rules.
    """
    with file.open("wb") as out:
        for number in range(count):
            name = f"stranger/{number}" if number % 4 == 3 else f"caller/{number * 7919 % rules}"
            request = _request(f"spiffe://example.org/{name}").SerializeToString()
            out.write(struct.pack(">I", len(request)) + request)


def _rule(number: int) -> PolicyText:
    rule = {
        "name": f"caller {number} may charge",
        "from": f"spiffe://example.org/caller/{number}",
        "to": PAYMENT,
        "methods": ["POST", "GET"],
        "paths": ["/transaction/*"],
    }
    return PolicyText(str(rule["name"]), Form.RULE, json.dumps(rule))


def _request(principal: str) -> envoy_authz_pb2.CheckRequest:
    request = envoy_authz_pb2.CheckRequest()
    request.attributes.source.principal = principal
    request.attributes.destination.principal = PAYMENT
    http = request.attributes.request.http
    http.id, http.method, http.path = "4711", "POST", f"/transaction/{NUMBER}"
    http.host, http.scheme, http.protocol = "payment.example.org", "http", "HTTP/1.1"
    http.headers.update(
        {
            ":authority": "payment.example.org",
            ":method": "POST",
            ":path": "/transaction",
            ":scheme": "https",
            "accept": "*/*",
            "content-length": "0",
            "content-type": "application/json",
            "user-agent": "orders/1.0",
            "x-forwarded-proto": "https",
            "x-request-id": "5f3a1e0c-6d1b-4f7c-9f61-2f0f0a8d6c11",
        }
    )
    return request


def _program(folder: Path, server: ScriptedServer) -> AgentProgram:
    node = SmallCa(now=server.ca.now).leaf(["spiffe://example.org/node"])
    files = {"node.pem": node.chain_pem, "node.key": node.key_pem, "bundle.pem": server.ca.pem}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    evidence = {
        "certificate_path": str(folder / "node.pem"),
        "private_key_path": str(folder / "node.key"),
    }
    settings = {
        "trust_domain": DOMAIN.name,
        "server_address": server.address,
        "trust_bundle_path": str(folder / "bundle.pem"),
    }
    return AgentProgram(folder / "agent", settings, {"node_attestor": {"x509pop": evidence}})


async def _beat(server: ScriptedServer) -> None:
    while True:
        server.beat(int(time.time() * 1000))
        await asyncio.sleep(_BEAT)
