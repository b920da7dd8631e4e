"""Somebody on the same machine who has no identity, and tries again and again.

    intruder.py SOCKET... PORT CERTIFICATE

Tries to connect to Unix sockets that are not its own, and to speak to payment's Envoy without a
certificate, and with one of its own making that claims to be orders. Says what came of it.
"""

import json
import socket
import ssl
import sys
import time

PATIENCE = 10.0
PAUSE = 0.5
REQUEST = b"POST /transaction/666 HTTP/1.1\r\nhost: payment\r\ncontent-length: 0\r\n\r\n"


def enter(path: str) -> str:
    """Connect to a Unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(path)
    except PermissionError:
        return "refused"
    except OSError as fault:
        return f"{type(fault).__name__}: {fault}"
    return "let through"


def speak(port: int, certificate: str | None) -> str:
    """Speak TLS with payment's Envoy, and see whether it answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate)
    try:
        with (
            socket.create_connection(("127.0.0.1", port), PATIENCE) as connection,
            context.wrap_socket(connection) as secured,
        ):
            secured.sendall(REQUEST)
            return "let through" if secured.recv(100) else "refused"
    except (ssl.SSLError, ConnectionError):
        return "refused"
    except OSError as fault:
        return f"{type(fault).__name__}: {fault}"


def main() -> None:
    """Try everything twice a second."""
    *sockets, port, certificate = sys.argv[1:]
    while True:
        tried = [("socket_mode", enter(each)) for each in sockets]
        tried.append(("no_certificate", speak(int(port), None)))
        tried.append(("forged_certificate", speak(int(port), certificate)))
        for rule, outcome in tried:
            print(json.dumps({"rule": rule, "outcome": outcome}), flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
