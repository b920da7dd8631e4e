"""How the command reaches a server."""

import json
import os

from tests.doubles.programs import finial


def test_a_unix_socket_needs_no_certificates() -> None:
    """What the environment says of certificates is not read for a socket of this machine."""
    env = {**os.environ, "SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": "/nowhere"}
    line = ("entry", "list", "--server=unix:///nowhere/admin.sock", "--output=json")
    done = finial(*line, env=env)
    assert json.loads(done.stderr)["error"]["kind"] == "unavailable"
