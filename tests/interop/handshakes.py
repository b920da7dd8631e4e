"""Two sides that shake hands for a while with the public `spiffe` packages, in one process each.

handshakes.py serve SPIFFE_ID            prints its address, serves until it is ended
handshakes.py call ADDRESS SPIFFE_ID SECONDS
    prints one JSON line: handshakes made, failures, and the authorities that signed the server
"""

import contextlib
import json
import sys
import time

from cryptography import x509
from spiffe import SpiffeId, X509Source
from spiffetls import ListenOptions, ServerTlsMode, dial, listen
from spiffetls.tlsconfig.authorize import authorize_id


def serve(expected: SpiffeId) -> None:
    """Echo one message on each connection."""
    with X509Source() as source:
        options = ListenOptions(
            tls_mode=ServerTlsMode.MTLS, authorize_fn=authorize_id(expected), backlog=64
        )
        listener = listen("127.0.0.1:0", source, options)
        host, port = listener.getsockname()
        print(f"{host}:{port}", flush=True)
        while True:
            connection, _ = listener.accept()
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
                failures.append(repr(error))
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
