"""Two sides that shake hands for a while with the public `spiffe` packages, in one process each.

handshakes.py serve SPIFFE_ID            prints its address, serves until it is ended
handshakes.py call ADDRESS SPIFFE_ID SECONDS
    prints one JSON line: handshakes made, failures, and the authorities that signed the server
"""

import contextlib
import json
import socket
import sys
import time

from cryptography import x509
from OpenSSL import SSL
from spiffe import SpiffeId, X509Source
from spiffetls import create_ssl_context, dial
from spiffetls.tlsconfig.authorize import authorize_id


def serve(expected: SpiffeId) -> None:
    """Echo one message on each connection, each with what the source holds at that moment.

    The package's own listener keeps one context for ever, and cannot follow a rotation.
    """
    with X509Source() as source, socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        print(f"{host}:{port}", flush=True)
        required = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        while True:
            accepted, _ = listener.accept()
            context = create_ssl_context(
                SSL.TLS_SERVER_METHOD, source, authorize_id(expected), required, False
            )
            connection = SSL.Connection(context, accepted)
            connection.set_accept_state()
            # A failed handshake is the caller's to count.
            with contextlib.suppress(Exception):
                connection.sendall(connection.recv(5))
                connection.shutdown()
            connection.close()


def call(address: str, expected: SpiffeId, seconds: float) -> None:
    """Make a new connection each time and count."""
    made, failures, authorities = 0, [], set()
    with X509Source() as source:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                connection = dial(address, source, authorize_fn=authorize_id(expected))
                connection.sendall(b"hello")
                assert connection.recv(5) == b"hello"
                leaf = connection.get_peer_certificate(as_cryptography=True)
                authorities.add(authority(leaf))
                connection.close()
                made += 1
            except Exception as error:
                failures.append(f"{error!r} after {error.__cause__!r}")
            time.sleep(0.02)
    print(json.dumps({"made": made, "failures": failures[:5], "authorities": sorted(authorities)}))


def authority(leaf: x509.Certificate) -> str:
    """The key identifier of whoever signed the leaf, in hex."""
    found = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    return (found.value.key_identifier or b"").hex()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(SpiffeId(sys.argv[2]))
    else:
        call(sys.argv[2], SpiffeId(sys.argv[3]), float(sys.argv[4]))
