"""Both services: one answers, one asks once a second, over mTLS with a new connection each time.

    service.py answer PEER_ID              answers PEER_ID and nobody else, on port 8443
    service.py ask PEER_ID HOST:PORT       asks, and believes nobody but PEER_ID

Who we are comes from the Workload API (SPIFFE_ENDPOINT_SOCKET); nothing here knows finial. Each
line that is printed is one JSON object.
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
from spiffe.workloadapi.errors import X509SourceError

PORT = 8443
PATIENCE = 5.0


def tell(**said):
    """Print one line."""
    print(json.dumps(said), flush=True)


def identity():
    """Wait until we have one: a container may start before its entry is made."""
    while True:
        try:
            source = X509Source(timeout_in_seconds=PATIENCE)
            break
        except Exception as fault:
            tell(waiting=str(fault))
            time.sleep(1)

    def updated():
        svid = source.get_x509_context().default_svid
        tell(i_am=str(svid.spiffe_id), serial=f"{svid.leaf.serial_number:x}")

    source.subscribe_for_updates(updated)
    updated()
    return source


def tls(source, purpose):
    """Make a TLS context of this moment: our certificate, and the authorities of the bundle."""
    found = source.get_x509_context()
    answers = purpose is ssl.Purpose.CLIENT_AUTH
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if answers else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # a SPIFFE ID is compared instead of a host's name
    context.verify_mode = ssl.CERT_REQUIRED
    for bundle in found.x509_bundle_set.bundles:
        for authority in bundle.x509_authorities:
            context.load_verify_locations(cadata=authority.public_bytes(Encoding.PEM).decode())
    svid = found.default_svid
    pem = svid.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem += b"".join(each.public_bytes(Encoding.PEM) for each in svid.cert_chain)
    # Python's ssl takes keys from files only; this one exists in memory alone.
    descriptor = os.memfd_create("svid")
    try:
        os.write(descriptor, pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context


def judge(secured, expected):
    """Compare the peer's SPIFFE ID: a good certificate of somebody else is not enough."""
    names = secured.getpeercert().get("subjectAltName", ())
    found = [value for kind, value in names if kind == "URI"]
    if found != [expected]:
        raise PermissionError(f"the peer is {found}, not {expected}")


def answer(peer):
    """Answer whoever proves to be `peer`."""
    source = identity()
    listener = socket.create_server(("", PORT), backlog=64)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer_one, args=(connection, source, peer), daemon=True).start()


def answer_one(connection, source, peer):
    """Answer one call."""
    try:
        connection.settimeout(PATIENCE)
        with tls(source, ssl.Purpose.CLIENT_AUTH).wrap_socket(connection, server_side=True) as it:
            judge(it, peer)
            it.sendall(b"hello, " + it.recv(100))
        tell(answered=peer)
    except Exception as fault:
        failed("refused", fault)


def failed(what, fault):
    """Print what went wrong; without an identity end, so that compose starts us again."""
    tell(**{what: f"{type(fault).__name__}: {fault}"})
    if isinstance(fault, X509SourceError):
        os._exit(1)


def ask(peer, address):
    """Ask `peer` once a second."""
    source = identity()
    host, _, port = address.rpartition(":")
    while True:
        try:
            connection = socket.create_connection((host, int(port)), PATIENCE)
            with connection, tls(source, ssl.Purpose.SERVER_AUTH).wrap_socket(connection) as it:
                judge(it, peer)
                it.sendall(b"it is me")
                tell(asked=peer, got=it.recv(100).decode())
        except Exception as fault:
            failed("failed", fault)
        time.sleep(1)


if __name__ == "__main__":
    {"answer": answer, "ask": ask}[sys.argv[1]](*sys.argv[2:])
