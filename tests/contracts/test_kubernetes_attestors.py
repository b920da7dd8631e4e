"""The attestors of Kubernetes keep the promises of attestors, on what a real cluster answered."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from attestors.contract import NodeEvidence, NodeVerifier, Process, WorkloadAttestor
from attestors.node.k8s_psat import evidence
from attestors.node.k8s_psat.verifier import Cluster, K8sPsatVerifier
from attestors.node.k8s_psat.verifier import Settings as VerifierSettings
from attestors.testing import NodeAttestorSuite, WorkloadAttestorSuite
from attestors.workload.k8s.attestor import K8sAttestor
from attestors.workload.k8s.kubelet import Kubelet
from attestors.workload.k8s.settings import Settings
from finial.runtime.clock import SystemClock
from tests.doubles.kubernetes import RecordedCluster, pod_on_node, process_in, recorded


@cache
def folder() -> Path:
    return Path(mkdtemp(prefix="finial-contracts-"))


class Recording:
    """Answers as the kubelet did."""

    url = "https://10.99.0.2:10250"

    async def request(self, *_: object, **__: object) -> Any:
        return recorded("pods")


class TestK8sPsat(NodeAttestorSuite):
    def evidence(self) -> NodeEvidence:
        path = folder() / "token"
        path.write_text("agent.own.token\n")
        return evidence.create(evidence.Settings("demo", str(path)))

    def verifier(self) -> NodeVerifier:
        cluster = Cluster(("finial:finial-agent",), ("finial-server",))
        return K8sPsatVerifier(VerifierSettings({"demo": cluster}), {"demo": RecordedCluster()})


class TestK8s(WorkloadAttestorSuite):
    def attestor(self) -> WorkloadAttestor:
        clock = SystemClock()
        settings = Settings(max_poll_attempts=1)
        kubelet = Kubelet(Recording(), clock, 0.05)  # type: ignore[arg-type]
        return K8sAttestor(settings, kubelet, clock)

    def process(self) -> Process:
        return Process(1, 0, 0, process_in(folder() / "web", pod_on_node("web").cgroup("web")))
