"""The examples in a cluster, as an administrator and their workloads meet them."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.doubles.programs import ROOT, eventually
from tests.interop.kubernetes import workloads
from tests.interop.kubernetes.cluster import Cluster
from tests.interop.kubernetes.configuration import NODE
from tests.interop.kubernetes.images import IMAGE
from tests.interop.kubernetes.workloads import SHOP, Object, pod_of

EXAMPLES: Final = ROOT / "examples/kubernetes"
SERVER: Final = ("--namespace=finial", "finial-server-0", "--container=server")
AGENT_SOCKET: Final = "unix:///run/finial/agent.sock"
NODES: Final = "spiffe://example.org/nodes"


class World:
    """A cluster that has the examples."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def apply(self, objects: Iterable[Object]) -> None:
        """Make objects, or change them."""
        document = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.cluster.kubectl("apply", "--filename=-", input=json.dumps(document))

    def apply_examples(self) -> None:
        """Do what the README of the examples says, on a cluster that has one volume."""
        folder = self.cluster.folder / "volume"
        folder.mkdir()
        self.apply([workloads.volume(str(folder))])
        self.cluster.kubectl("apply", "-k", str(EXAMPLES))
        self.await_rollout("statefulset/finial-server", "finial")

    def open_shop(self) -> None:
        """Run two services, and register them for every node of the cluster."""
        self.apply([*workloads.shop(), workloads.stray_settings()])
        self.register(NODES, "spiffe://example.org/spire/server", "k8s_psat:cluster:demo")
        for app in ("web", "db"):
            selectors = (f"k8s:ns:{SHOP}", "k8s:sa:web", f"k8s:pod-label:app:{app}")
            self.register(f"spiffe://example.org/{app}", NODES, *selectors)
            self.await_rollout(f"deployment/{app}", SHOP)

    def await_rollout(self, what: str, namespace: str) -> None:
        """Wait until everything of it runs."""
        self.cluster.kubectl(
            "rollout", "status", what, f"--namespace={namespace}", "--timeout=120s"
        )  # fmt: skip

    def finial(self, *arguments: str, check: bool = True) -> Any:
        """Run an administrator's command in the server's pod, and return its JSON."""
        command = ("finial", *arguments, "--output=json")
        said = self.cluster.kubectl("exec", *SERVER, "--", *command, check=check)
        return json.loads(said) if check and said.strip() else said

    def register(self, spiffe_id: str, parent: str, *selectors: str) -> None:
        """Create an entry."""
        flags = [f"--selector={each}" for each in selectors]
        self.finial("entry", "create", spiffe_id, f"--parent={parent}", *flags)

    def agents(self) -> list[Mapping[str, Any]]:
        """The agents that have attested."""
        found: list[Mapping[str, Any]] = self.finial("agent", "list")["items"]
        return found

    def agent_path(self) -> str:
        """Where the one agent of this node is in the trust domain."""
        uid = self.cluster.get("node", NODE)["metadata"]["uid"]
        return f"/spire/agent/k8s_psat/demo/{uid}"

    def inside(
        self, app: str, *command: str, container: str = "web", namespace: str = SHOP
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a container of a pod, to its end."""
        kubectl = (
            self.cluster.build / "bin/kubectl",
            f"--kubeconfig={self.cluster.file('admin.json')}",
        )
        pod = (pod_of(self.cluster, app, namespace), f"--container={container}")
        exec_ = ("exec", f"--namespace={namespace}", *pod, "--", *command)
        return self.cluster.run(*kubectl, *exec_, check=False)

    def fetched(self, app: str, container: str = "web") -> list[str]:
        """The SPIFFE IDs that a process in a container of a pod gets, none if it is refused."""
        done = self.inside(app, "finial", "fetch", "x509", "--output=json", container=container)
        return identities(done.stdout) if done.returncode == 0 else []

    def container_of(self, app: str, name: str = "web", namespace: str = SHOP) -> str:
        """The ID of a container, as the engine has it."""
        pod = self.cluster.get(
            "pod", pod_of(self.cluster, app, namespace), f"--namespace={namespace}"
        )
        statuses = pod["status"]["containerStatuses"]
        [found] = [each["containerID"] for each in statuses if each["name"] == name]
        return str(found).removeprefix("docker://")

    def plain_container(self) -> str:
        """Start a container that is in no pod, and return its ID."""
        flags = ("--detach", "--network=none", "--entrypoint=/opt/finial/bin/python")
        said = self.cluster.docker("run", *flags, IMAGE, *workloads.SLEEP[1:])
        return said.splitlines()[-1]

    def ended(self, pod: str, namespace: str = SHOP) -> tuple[str, str]:
        """Wait for the end of a pod: its phase and what it said."""

        def phase() -> str:
            found: str = self.cluster.get("pod", pod, f"--namespace={namespace}")["status"]["phase"]
            return found if found in ("Succeeded", "Failed") else ""

        return eventually(phase, 60), self.cluster.kubectl("logs", pod, f"--namespace={namespace}")

    def remove(self, pod: str) -> None:
        """Delete a pod of the shop."""
        self.cluster.kubectl("delete", "pod", pod, f"--namespace={SHOP}")

    def everything_said(self) -> str:
        """What a person would look at first when something went wrong."""
        logs = (f"--selector=app={app}" for app in ("finial-agent", "finial-server"))
        said = [self.cluster.kubectl("get", "pods", "-A", "-o=wide", check=False)]
        for each in logs:
            flags = ("--namespace=finial", "--all-containers", "--tail=60")
            said.append(self.cluster.kubectl("logs", each, *flags, check=False))
        return "\n".join(said)


def explained_process(world: World, container: str) -> Mapping[str, Any]:
    """What the agent's attestors say of the first process of a container, by their names."""
    template = "{{.State.Pid}}"
    pid = world.cluster.docker("inspect", f"--format={template}", container).strip()
    done = world.inside(
        "finial-agent", "finial", "explain", f"--pid={pid}", f"--admin-socket={AGENT_SOCKET}",
        "--output=json", container="agent", namespace="finial",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)["attestors"]}


def identities(output: str) -> list[str]:
    """The SPIFFE IDs in what `finial fetch x509` printed."""
    return [each["spiffe_id"] for each in json.loads(output)["svids"]]
