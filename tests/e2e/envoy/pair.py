"""Two Envoys, one before a payment service and one beside its caller, which meet by mTLS."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.doubles import envoy_parts as parts
from tests.doubles.envoy import Envoy
from tests.doubles.programs import eventually

PAYMENT = "spiffe://example.org/payment"
ORDERS = "spiffe://example.org/orders"
FORMS = ("GRPC", "DELTA_GRPC")
PEER = {"peer": "%DOWNSTREAM_PEER_URI_SAN%", "serial": "%DOWNSTREAM_PEER_SERIAL%"}


def payment(
    folder: Path,
    socket: str,
    form: str,
    *,
    certificate: str = PAYMENT,
    trusted: str = "ROOTCA",
    uid: int | None = None,
    node: Mapping[str, Any] | None = None,
    **source: Any,
) -> Envoy:
    """The Envoy in front of payment, which answers by itself and says who called."""
    tls = parts.downstream(parts.tls_context(certificate, trusted, form, **source))
    listener = parts.listener("in", [parts.answers(**PEER)], tls=tls)
    resources = parts.resources([listener], [parts.agent_cluster(socket)])
    return Envoy(folder, "payment", resources, uid=uid, node=node)


def orders(
    folder: Path,
    socket: str,
    form: str,
    port: int,
    *,
    name: str = "orders",
    certificate: str = ORDERS,
    trusted: str = "ROOTCA",
    peers: tuple[str, ...] = (PAYMENT,),
    uid: int | None = None,
    **source: Any,
) -> Envoy:
    """The Envoy by which orders calls payment, with a new handshake for each request."""
    tls = parts.upstream(parts.tls_context(certificate, trusted, form, peers=peers, **source))
    cluster = parts.tcp_cluster("payment", port, tls=tls, one_request=True)
    listener = parts.listener("out", [parts.to("payment")])
    resources = parts.resources([listener], [parts.agent_cluster(socket), cluster])
    return Envoy(folder, name, resources, uid=uid)


class Caller:
    """The service behind the Envoy of orders: it speaks plain HTTP to it."""

    def __init__(self, envoy: Envoy) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{envoy.port('out')}", timeout=20)

    def call(self) -> httpx.Response:
        return self._client.get("/transaction")

    def close(self) -> None:
        self._client.close()


@contextmanager
def calling(envoy: Envoy) -> Iterator[Caller]:
    """Call through an Envoy that serves."""
    eventually(envoy.is_ready, what=f"{envoy.name} serves")
    caller = Caller(envoy)
    try:
        yield caller
    finally:
        caller.close()
