"""OPA's Envoy plugin with the rules indexed by hand, to be asked what finial's agent is asked."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.ruling import PAYMENT

_PATIENCE: Final = 30.0
_POLICY: Final = """
package envoy.authz
import input.attributes.request.http
default allow := false
allow if {
    some rule in data.rules[input.attributes.destination.principal][input.attributes.source.principal]
    http.method in rule.methods
    startswith(http.path, rule.prefix)
}
"""
_CONFIG: Final = """
plugins:
  envoy_ext_authz_grpc:
    addr: unix://{socket}
    path: envoy/authz/allow
"""


@contextmanager
def opa(program: str, rules: int) -> Iterator[tuple[int, str]]:
    """Run it with the rules of `ruling`; its process and its socket."""
    with tempfile.TemporaryDirectory(prefix="finial-bench-") as name:
        folder = Path(name)
        socket = folder / "s"
        (folder / "policy.rego").write_text(_POLICY)
        (folder / "data.json").write_text(json.dumps({"rules": {PAYMENT: _rules(rules)}}))
        (folder / "opa.yaml").write_text(_CONFIG.format(socket=socket))
        command = [program, "run", "--server", "--addr=localhost:0", "--log-level=error"]
        command += [f"--config-file={folder}/opa.yaml", "--skip-version-check"]
        command += [str(folder / "policy.rego"), str(folder / "data.json")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _await(process, socket)
            yield process.pid, str(socket)
        finally:
            process.terminate()
            process.wait()


def _rules(count: int) -> dict[str, list[dict[str, object]]]:
    rule = {"methods": ["POST", "GET"], "prefix": "/transaction/"}
    return {f"spiffe://example.org/caller/{number}": [rule] for number in range(count)}


def _await(process: "subprocess.Popen[bytes]", socket: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            assert process.stderr
            raise RuntimeError(f"OPA does not serve: {process.stderr.read().decode()}")
        time.sleep(0.05)
