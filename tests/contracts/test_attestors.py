"""The attestors of the house keep the promises of attestors."""

from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import mkdtemp

from cryptography.hazmat.primitives.asymmetric import rsa

from attestors.container.cgroup import parse, read
from attestors.contract import NodeEvidence, NodeVerifier, VerifierContext, WorkloadAttestor
from attestors.node.join_token import evidence as join_token
from attestors.node.join_token import verifier as join_token_verifier
from attestors.node.x509pop import evidence as x509pop
from attestors.node.x509pop import verifier as x509pop_verifier
from attestors.testing import NodeAttestorSuite, WorkloadAttestorSuite
from attestors.workload import systemd, unix
from attestors.workload.systemd import SystemdAttestor
from attestors.workload.systemd.unit import Unit
from finial.runtime.clock import SystemClock
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import TrustDomain
from tests.doubles.ca import Signed, SmallCa, key_usage
from tests.doubles.clock import NOW
from tests.doubles.entropy import RepeatingEntropy

TD = TrustDomain("example.org")
CA = SmallCa()


@cache
def folder() -> Path:
    made = Path(mkdtemp(prefix="finial-contracts-"))
    (made / "ca.pem").write_bytes(CA.pem)
    return made


def shown(name: str, signed: Signed) -> NodeEvidence:
    key, certificate = folder() / f"{name}.key", folder() / f"{name}.crt"
    key.write_bytes(signed.key_pem)
    certificate.write_bytes(signed.chain_pem)
    return x509pop.create(x509pop.Settings(str(key), str(certificate)))


def context() -> VerifierContext:
    bundle = Bundle(TD, (X509Authority(CA.der),))
    return VerifierContext(TD, lambda: bundle, RepeatingEntropy())


class TestJoinToken(NodeAttestorSuite):
    grammar = join_token_verifier.GRAMMAR
    accepts_any_text = True

    def evidence(self) -> NodeEvidence:
        return join_token.create(join_token.Settings(token="9b0fdd3c-5a3d-4c4f"))

    def verifier(self) -> NodeVerifier:
        return join_token_verifier.create(join_token_verifier.Settings(), context())


class TestX509pop(NodeAttestorSuite):
    grammar = x509pop_verifier.GRAMMAR
    now = NOW
    address = ip_address("192.0.2.1")
    usage = (key_usage("digital_signature"), True)

    def evidence(self) -> NodeEvidence:
        return shown("ec", CA.sign(extensions=[self.usage]))

    def verifier(self) -> NodeVerifier:
        settings = x509pop_verifier.Settings(ca_bundle_path=str(folder() / "ca.pem"))
        return x509pop_verifier.create(settings, context())


class TestX509popWithRsa(TestX509pop):
    key = rsa.generate_private_key(65537, 2048)

    def evidence(self) -> NodeEvidence:
        return shown("rsa", CA.sign(key=self.key, extensions=[self.usage]))


class TestX509popInModeSpiffe(NodeAttestorSuite):
    grammar = x509pop_verifier.GRAMMAR
    now = NOW

    def evidence(self) -> NodeEvidence:
        return shown("spiffe", CA.workload("/spire-exchange/node-1"))

    def verifier(self) -> NodeVerifier:
        return x509pop_verifier.create(x509pop_verifier.Settings(mode="spiffe"), context())


class TestUnix(WorkloadAttestorSuite):
    def attestor(self) -> WorkloadAttestor:
        return unix.create(unix.Settings())


class TestUnixWithControlGroups(WorkloadAttestorSuite):
    def attestor(self) -> WorkloadAttestor:
        return unix.create(unix.Settings(discover_cgroup=True))


class TestUnixWithoutPrograms(WorkloadAttestorSuite):
    def attestor(self) -> WorkloadAttestor:
        return unix.create(unix.Settings(discover_workload_path=False))


class KnownManager:
    """A service manager for whom every living process is in one service."""

    async def unit_of(self, pid: int) -> Unit:
        group = parse(read(f"/proc/{pid}"))[-1].path
        return Unit(
            "web.service", "/etc/systemd/system/web.service", "system.slice", "4b" * 16, group
        )

    async def version(self) -> str:
        return "259"


class TestSystemd(WorkloadAttestorSuite):
    def attestor(self) -> WorkloadAttestor:
        return SystemdAttestor(systemd.Settings(), KnownManager(), SystemClock())
