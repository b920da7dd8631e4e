"""The real programs against a double of Kubernetes that plays what a real cluster answered.

`make test-k8s` has the same with the real one.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.doubles.kubernetes import KubernetesDouble, kubernetes, pod_on_node, recorded
from tests.doubles.nodes import AgentProgram, ServerProgram, closing
from tests.doubles.programs import ROOT, eventually, short_folder
from tests.doubles.tls_endpoint import small_ca

pytestmark = [pytest.mark.root, pytest.mark.slow]
NODE = recorded("node").document["metadata"]["uid"]
AGENT = f"spiffe://example.org/spire/agent/k8s_psat/demo/{NODE}"
WEB = pod_on_node("web")


class Node:
    """A server, an agent that joined by its pod's token, and the cluster behind both."""

    def __init__(
        self, cluster: KubernetesDouble, server: ServerProgram, agent: AgentProgram
    ) -> None:
        self.cluster = cluster
        self.server = server
        self.agent = agent

    def fetched_in(self, cgroup: str) -> subprocess.CompletedProcess[str]:
        """What a process gets that is in a cgroup of that name below one of the test's own."""
        with cgroup_of(cgroup) as folder:
            script = f'echo $$ > {folder}/cgroup.procs; exec "$@"'
            fetch = (
                "fetch",
                "x509",
                "--output=json",
                f"--socket=unix://{self.agent.workload_socket}",
            )
            return subprocess.run(
                ["sh", "-c", script, "sh", sys.executable, "-m", "cli", *fetch],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
                cwd=ROOT,
            )


@contextmanager
def cgroup_of(path: str) -> Iterator[Path]:
    """Make a cgroup of that path in one hierarchy of v1, or in v2 where there is no other."""
    top = Path("/sys/fs/cgroup/pids")
    own = (top if top.is_dir() else top.parent) / f"finial-{os.getpid()}"
    folder = own / path.lstrip("/")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        while folder != own.parent:
            eventually(partial(removed, folder), 10, f"{folder} is empty")
            folder = folder.parent


def removed(folder: Path) -> bool:
    return subprocess.run(["rmdir", folder], check=False, capture_output=True).returncode == 0


def kubeconfig(cluster: KubernetesDouble) -> str:
    return json.dumps(
        {
            "clusters": [
                {"name": "c", "cluster": {"server": cluster.url, "certificate-authority": "ca.pem"}}
            ],
            "users": [{"name": "u", "user": {"tokenFile": "server-token"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def serving(folder: Path, cluster: KubernetesDouble) -> ServerProgram:
    (folder / "server-token").write_text(cluster.bearer)
    (folder / "kubeconfig").write_text(kubeconfig(cluster))
    demo = {
        "service_account_allow_list": ["finial:finial-agent"],
        "audience": ["finial-server"],
        "kube_config_file": str(folder / "kubeconfig"),
    }
    return ServerProgram(
        folder / "ca",
        {"bind_port": free_port()},
        {"node_attestor": {"k8s_psat": {"clusters": {"demo": demo}}}},
    )


def joining(
    folder: Path, cluster: KubernetesDouble, server: ServerProgram, token: str
) -> AgentProgram:
    (folder / "token").write_text(token)
    evidence = {"cluster": "demo", "token_path": str(folder / "token")}
    kubelet = {
        "kubelet_secure_port": int(cluster.url.rpartition(":")[2]),
        "kubelet_ca_path": cluster.ca_path,
        "token_path": str(folder / "server-token"),
        "node_name": "127.0.0.1",
    }
    return AgentProgram(
        folder / "a",
        {
            "trust_domain": "example.org",
            "server_address": "127.0.0.1",
            "server_port": server.settings["bind_port"],
            "trust_bundle_path": str(server.folder / "bundle.pem"),
        },
        {
            "node_attestor": {"k8s_psat": evidence},
            "workload_attestor": {"k8s": kubelet, "unix": {}},
        },
    )


@pytest.fixture
def place() -> Iterator[tuple[Path, KubernetesDouble, ServerProgram]]:
    with ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        cluster = stack.enter_context(kubernetes(folder, small_ca()))
        server = serving(folder, cluster)
        stack.enter_context(closing(server))
        server.begin()
        yield folder, cluster, server


@pytest.fixture
def node(place: tuple[Path, KubernetesDouble, ServerProgram]) -> Iterator[Node]:
    folder, cluster, server = place
    agent = joining(folder, cluster, server, "agent.own.token")
    with closing(agent):
        status = agent.begin()
        assert status.agent_id == AGENT
        yield Node(cluster, server, agent)


def test_a_pod_is_served_and_its_neighbour_is_not(node: Node) -> None:
    """An agent that joined by its token serves the container that its entry is for (PN-02, QW-02)."""
    selectors = ("k8s:ns:shop", "k8s:pod-label:app:web", "k8s:container-name:web")
    node.server.entry(AGENT, "/web", *selectors)

    def served() -> str:
        done = node.fetched_in(WEB.cgroup("web"))
        return done.stdout if done.returncode == 0 else ""

    said = eventually(served, 20, "the entry reaches the agent")
    assert [each["spiffe_id"] for each in json.loads(said)["svids"]] == ["spiffe://example.org/web"]
    for other in (
        WEB.cgroup("sidecar"),
        pod_on_node("db").cgroup("web"),
        WEB.cgroup("web", "/system.slice/builder.service/kubepods"),
    ):
        refused = node.fetched_in(other)
        assert "no identity issued" in refused.stderr
        assert "spiffe://" not in refused.stderr


def test_a_token_that_proves_nothing_lets_nobody_in(
    place: tuple[Path, KubernetesDouble, ServerProgram],
) -> None:
    """The agent ends, and says what the server said (PN-02)."""
    folder, cluster, server = place
    agent = joining(folder, cluster, server, "web.own.token")
    with closing(agent):
        agent.start()
        assert agent.ended() != 0
        assert '"shop:web" is not an allowed service account' in agent.said
        assert "plugins.node_attestor.k8s_psat" in agent.said
    assert not server.every("/v1/agents")


def test_a_cluster_that_is_away_is_waited_for(
    place: tuple[Path, KubernetesDouble, ServerProgram],
) -> None:
    """The agent goes on trying while the API server gives no answer, and joins when it does."""
    folder, cluster, server = place
    bearer, cluster.bearer = cluster.bearer, "another.bearer.token"
    agent = joining(folder, cluster, server, "agent.own.token")
    with closing(agent):
        agent.start()
        eventually(lambda: cluster.asked, 20, "the API server is asked")
        assert agent.runs
        cluster.bearer = bearer
        assert agent.synced().agent_id == AGENT
