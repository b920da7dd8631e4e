"""What an operator does: entries, policies, modes, a block. Commands as they would be typed."""

import datetime
import json
import subprocess
import sys
from pathlib import Path

import httpx
from configuration import spiffe_id
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from ground import HERE, Ground

CALLEES = ("orders", "payment")


class Operator:
    """Somebody who may administer the server that `finial up` started in a folder."""

    def __init__(self, folder: Path, made: dict) -> None:
        self._folder = folder
        self._made = made

    def register(self, ground: Ground) -> None:
        """Say which process is which identity: the Envoys, and nobody else."""
        transport = httpx.HTTPTransport(uds=self._made["admin_socket"])
        with httpx.Client(transport=transport, base_url="http://finial", timeout=30) as server:
            for place in ground.places.values():
                entry = {
                    "spiffe_id": spiffe_id(place.name),
                    "parent_id": self._made["agent_id"],
                    "selectors": list(place.selectors),
                }
                answer = server.post("/v1/entries", json=entry)
                if answer.status_code != 201:
                    raise RuntimeError(f"the entry was refused: {answer.text}")

    def apply(self) -> None:
        """Register the policies."""
        self.finial("policy", "apply", str(HERE / "policies"))

    def set_mode(self, mode: str, audit: str = "denials") -> None:
        """Set how much the callees enforce."""
        for name in CALLEES:
            self.finial("policy", "mode", spiffe_id(name), mode, "--audit", audit)

    def report(self) -> list[dict]:
        """Ask what would have been denied, had it been enforced."""
        return self.finial("policy", "report")["items"]

    def block(self, subject: str, *options: str) -> dict:
        """Lock out."""
        return self.finial("block", subject, "--reason", "key leaked", *options)

    def finial(self, *arguments: str) -> dict:
        """Run the command `finial`."""
        command = [sys.executable, "-P", "-m", "cli", *arguments]
        command += ["--dir", str(self._folder), "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"finial {' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def audited(self, **wanted: str) -> list[str]:
        """Find the lines of the agent's audit log that say all that is wanted."""
        lines = (self._folder / "private" / "agent-audit.log").read_text().splitlines()
        return [line for line in lines if wanted.items() <= _members(line).items()]


def _members(line: str) -> dict[str, str]:
    said = json.loads(line)
    return {member: value for member, value in said.items() if isinstance(value, str)}


def forge(folder: Path) -> Path:
    """Make a certificate that says it is orders, and that nobody signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id("orders"))]),
            critical=True,
        )
        .sign(key, SHA256())
    )
    file = folder / "forged.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + made.public_bytes(Encoding.PEM)
    )
    return file
