"""Both services of the demo: one answers, one asks, over mTLS with a new connection each time.

    service.py answer PEER_ID            prints its port, then answers PEER_ID and nobody else
    service.py ask PEER_ID PORT          asks, and believes nobody but PEER_ID

Their identities come from the Workload API (SPIFFE_ENDPOINT_SOCKET) through the public `spiffe`
package. No key ever touches a disk, and nothing here knows finial.
"""

import json
import os
import socket
import ssl
import sys
import threading
import time

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from spiffe import X509Source

PAUSE = 0.25
PATIENCE = 5.0
WAIT_FOR_IDENTITY = 20.0


class Identity:
    """Our X509-SVID, as fresh as the Workload API has it, and how often it was replaced."""

    def __init__(self) -> None:
        self.source = _source()
        self.rotations = 0
        self._serial = self.source.svid.leaf.serial_number
        self.source.subscribe_for_updates(self._updated)

    def _updated(self) -> None:
        serial = self.source.svid.leaf.serial_number
        if serial != self._serial:
            self._serial, self.rotations = serial, self.rotations + 1

    def tls(self, purpose: ssl.Purpose) -> ssl.SSLContext:
        """Make a TLS context of this moment: our SVID, and the authorities of the bundle."""
        context = ssl.SSLContext(
            ssl.PROTOCOL_TLS_SERVER
            if purpose is ssl.Purpose.CLIENT_AUTH
            else ssl.PROTOCOL_TLS_CLIENT
        )
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # a SPIFFE ID is compared instead of a host's name
        context.verify_mode = ssl.CERT_REQUIRED
        svid = self.source.svid
        for bundle in self.source.bundles:
            for authority in bundle.x509_authorities:
                context.load_verify_locations(cadata=authority.public_bytes(Encoding.PEM).decode())
        pem = svid.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for certificate in svid.cert_chain:
            pem += certificate.public_bytes(Encoding.PEM)
        # Python's ssl takes keys from files only; this one exists in memory alone.
        descriptor = os.memfd_create("svid")
        try:
            os.write(descriptor, pem)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return context

    def described(self) -> dict:
        """Say who we are, for the table."""
        svid = self.source.svid
        return {
            "spiffe_id": str(svid.spiffe_id),
            "serial": f"{svid.leaf.serial_number:x}"[-8:],
            "expires_at": svid.leaf.not_valid_after_utc.timestamp(),
            "rotations": self.rotations,
            "authorities": sum(len(bundle.x509_authorities) for bundle in self.source.bundles),
        }


class Report:
    """Counts calls, and tells the runner about us four times a second."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.calls = 0
        self.failed = 0
        self.last_error = ""
        threading.Thread(target=self._tell, daemon=True).start()

    def failure(self, fault: Exception) -> None:
        """Count a call that failed."""
        self.failed += 1
        self.last_error = f"{type(fault).__name__}: {fault}"

    def _tell(self) -> None:
        while True:
            said = {"calls": self.calls, "failed": self.failed, "error": self.last_error}
            print(json.dumps({**self.identity.described(), **said}), flush=True)
            time.sleep(PAUSE)


def answer(peer: str) -> None:
    """Answer whoever proves to be `peer`."""
    identity = Identity()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    report = Report(identity)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer_one, args=(connection, identity, report, peer)).start()


def _answer_one(connection: socket.socket, identity: Identity, report: Report, peer: str) -> None:
    try:
        connection.settimeout(PATIENCE)
        context = identity.tls(ssl.Purpose.CLIENT_AUTH)
        with context.wrap_socket(connection, server_side=True) as secured:
            judge(secured, peer)
            secured.sendall(b"hello, " + secured.recv(100))
            report.calls += 1
    except Exception as fault:
        report.failure(fault)


def ask(peer: str, port: int) -> None:
    """Ask `peer` four times a second, each time over a new connection."""
    identity = Identity()
    report = Report(identity)
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
                context = identity.tls(ssl.Purpose.SERVER_AUTH)
                with context.wrap_socket(connection) as secured:
                    judge(secured, peer)
                    secured.sendall(b"it is me")
                    if secured.recv(100) != b"hello, it is me":
                        raise ConnectionError("the answer was cut short")
            report.calls += 1
        except Exception as fault:
            report.failure(fault)
        time.sleep(PAUSE)


def judge(secured: ssl.SSLSocket, expected: str) -> None:
    """Compare the peer's SPIFFE ID: a good certificate of somebody else is not enough."""
    names = secured.getpeercert().get("subjectAltName", ())
    found = [value for kind, value in names if kind == "URI"]
    if found != [expected]:
        raise PermissionError(f"the peer is {found}, not {expected}")


def _source() -> X509Source:
    # An identity comes soon after its registration, and not always before the first question.
    deadline = time.monotonic() + WAIT_FOR_IDENTITY
    while True:
        try:
            return X509Source(timeout_in_seconds=PATIENCE)
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)


if __name__ == "__main__":
    if sys.argv[1] == "answer":
        answer(sys.argv[2])
    else:
        ask(sys.argv[2], int(sys.argv[3]))
