"""One side of an mTLS conversation with the public `spiffe` and `spiffe-tls` packages.

mtls_peer.py listen SPIFFE_ID            prints its address, echoes one message
mtls_peer.py dial ADDRESS SPIFFE_ID      sends one message, expects it back
"""

import sys

from spiffe import SpiffeId, X509Source
from spiffetls import ListenOptions, ServerTlsMode, dial, listen
from spiffetls.tlsconfig.authorize import authorize_id

MESSAGE = b"hello"


def echo_one(expected: SpiffeId) -> None:
    """Serve one connection of the expected caller."""
    with X509Source() as source:
        options = ListenOptions(tls_mode=ServerTlsMode.MTLS, authorize_fn=authorize_id(expected))
        listener = listen("127.0.0.1:0", source, options)
        host, port = listener.getsockname()
        print(f"{host}:{port}", flush=True)
        connection, _ = listener.accept()
        connection.sendall(connection.recv(len(MESSAGE)))
        connection.shutdown()


def call(address: str, expected: SpiffeId) -> None:
    """Call the expected server and compare its answer."""
    with X509Source() as source:
        connection = dial(address, source, authorize_fn=authorize_id(expected))
        connection.sendall(MESSAGE)
        answer = connection.recv(len(MESSAGE))
        assert answer == MESSAGE, answer


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        echo_one(SpiffeId(sys.argv[2]))
    else:
        call(sys.argv[2], SpiffeId(sys.argv[3]))
