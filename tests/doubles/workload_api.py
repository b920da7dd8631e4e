"""A Workload API that gives whoever asks what the test says."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from finial.wire.pb import workload_pb2
from tests.doubles.ca import Signed, SmallCa


class GivenSvids:
    """Streams the latest answer to everybody who has a stream open; no answer is a denial."""

    def __init__(self, socket: Path) -> None:
        self.uri = f"unix://{socket}"
        self._changed = threading.Condition()
        self._answer: workload_pb2.X509SVIDResponse | None = None
        self._version = 0
        self._is_over = False

    def give(self, answer: workload_pb2.X509SVIDResponse | None) -> None:
        with self._changed:
            self._answer, self._version = answer, self._version + 1
            self._changed.notify_all()

    def fetch(self, _: Any, context: Any) -> Iterator[workload_pb2.X509SVIDResponse]:
        seen = -1
        while not self._is_over and context.is_active():
            with self._changed:
                if self._version == seen:
                    self._changed.wait(0.1)
                    continue
                seen, answer = self._version, self._answer
            if answer is None:
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "no identity issued")
            yield answer

    def end(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()


@contextlib.contextmanager
def workload_api(socket: Path) -> Iterator[GivenSvids]:
    """Serve the stream of X509-SVIDs on a socket until the test is done with it."""
    given = GivenSvids(socket)
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    handler = grpc.unary_stream_rpc_method_handler(
        given.fetch,
        request_deserializer=workload_pb2.X509SVIDRequest.FromString,
        response_serializer=workload_pb2.X509SVIDResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("SpiffeWorkloadAPI", {"FetchX509SVID": handler}),)
    )
    server.add_insecure_port(given.uri)
    server.start()
    try:
        yield given
    finally:
        given.end()
        server.stop(0.2).wait()


def answer(
    *svids: Signed, authorities: Sequence[SmallCa], crls: Sequence[bytes] = (), **changes: Any
) -> workload_pb2.X509SVIDResponse:
    """An answer with these SVIDs, all of one bundle."""
    bundle = b"".join(each.der for each in authorities)
    return workload_pb2.X509SVIDResponse(
        svids=[
            workload_pb2.X509SVID(
                spiffe_id=uri(each.certificate),
                x509_svid=b"".join(each.chain),
                x509_svid_key=each.key_pkcs8,
                bundle=bundle,
            )
            for each in svids
        ],
        crl=crls,
        **changes,
    )


def revoking(
    ca: SmallCa, *revoked: Signed, now: float | None = None, lifetime: float = 3600
) -> bytes:
    """The authority's list of what is revoked, DER."""
    since = datetime.fromtimestamp(int((ca.now if now is None else now) - 5), UTC)
    ends = datetime.fromtimestamp(int(since.timestamp() + lifetime), UTC)
    key_id = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(since)
        .next_update(ends)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), False
        )
        .add_extension(x509.CRLNumber(int(since.timestamp())), False)
    )
    for each in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(each.certificate.serial_number)
            .revocation_date(since)
            .build()
        )
    return builder.sign(ca.root.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def uri(certificate: x509.Certificate) -> str:
    """The SPIFFE ID of a certificate."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return str(names.get_values_for_type(x509.UniformResourceIdentifier)[0])
