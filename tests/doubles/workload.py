"""A workload that fetches from the Workload API in the test's own process."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import grpc
from cryptography import x509

from finial.wire.pb import workload_pb2

SECURITY: Final = (("workload.spiffe.io", "true"),)


def fetch(socket: Path, timeout: float = 10.0) -> list[tuple[str, x509.Certificate]]:
    """The X509-SVIDs that this process gets, with their leaves. Raises: grpc.RpcError."""
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        for answer in x509_stream(channel, timeout):
            return svids(answer)
    raise AssertionError("the stream ended without an answer")


def fetch_jwt(socket: Path, audience: str, timeout: float = 10.0) -> list[tuple[str, str]]:
    """The JWT-SVIDs that this process gets for an audience. Raises: grpc.RpcError."""
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        ask = channel.unary_unary(
            "/SpiffeWorkloadAPI/FetchJWTSVID",
            request_serializer=workload_pb2.JWTSVIDRequest.SerializeToString,
            response_deserializer=workload_pb2.JWTSVIDResponse.FromString,
        )
        request = workload_pb2.JWTSVIDRequest(audience=[audience])
        answer = ask(request, metadata=SECURITY, timeout=timeout)
        return [(each.spiffe_id, each.svid) for each in answer.svids]


def status_of(attempt: Callable[[], object]) -> grpc.StatusCode:
    """The status of a call, OK included."""
    return refusal_of(attempt)[0]


def refusal_of(attempt: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    """The status of a call and what it says."""
    try:
        attempt()
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


def x509_stream(channel: grpc.Channel, timeout: float | None = None) -> Any:
    ask = channel.unary_stream(
        "/SpiffeWorkloadAPI/FetchX509SVID",
        request_serializer=workload_pb2.X509SVIDRequest.SerializeToString,
        response_deserializer=workload_pb2.X509SVIDResponse.FromString,
    )
    return ask(workload_pb2.X509SVIDRequest(), metadata=SECURITY, timeout=timeout)


def svids(answer: workload_pb2.X509SVIDResponse) -> list[tuple[str, x509.Certificate]]:
    return [(each.spiffe_id, leaf(each.x509_svid)) for each in answer.svids]


def leaf(chain: bytes) -> x509.Certificate:
    """The first of concatenated certificates."""
    # A SEQUENCE with a length of two bytes, as every certificate of ours is.
    return x509.load_der_x509_certificate(chain[: 4 + int.from_bytes(chain[2:4], "big")])


class Subscriber:
    """Keeps a stream open in a thread, and opens it again when it ends."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._call: Any = None
        self.received: list[tuple[str, x509.Certificate]] = []
        self.ends: list[tuple[grpc.StatusCode, str]] = []

    @contextlib.contextmanager
    def open(self) -> Iterator["Subscriber"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            while self._thread.is_alive():
                # It may have opened a stream at this very moment.
                if self._call is not None:
                    self._call.cancel()
                self._thread.join(0.1)

    @property
    def serials(self) -> set[str]:
        return {str(each.serial_number) for _, each in self.received}

    def _work(self) -> None:
        while not self._stop.is_set():
            with grpc.insecure_channel(f"unix:{self._socket}") as channel:
                self._call = x509_stream(channel)
                self.ends.append(refusal_of(self._listen))
            self._stop.wait(0.2)

    def _listen(self) -> None:
        for answer in self._call:
            self.received += svids(answer)
