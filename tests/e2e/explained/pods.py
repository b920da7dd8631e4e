"""Reports about pods: a real container where a kubelet would put it, and a double of the kubelet.

The double plays what a real kubelet answered, with this container's ID in the place of the pod's.
"""

import contextlib
import time
from pathlib import Path
from typing import Any

from tests.doubles.ca import SmallCa
from tests.doubles.engines import Container, docker_engine
from tests.doubles.kubernetes import KubernetesDouble, Recorded, kubernetes, recorded
from tests.e2e.explained.containers import fetch, run
from tests.e2e.explained.situation import situation
from tests.e2e.explained.stage import Said, Stage, refusal_id

# The pod `web` of the recorded list: its place in that list, and its container `web` in the pod.
POD, WEB = 3, 1
CGROUPS = Path("/sys/fs/cgroup")


def with_kubelet(stage: Stage) -> tuple[Container, KubernetesDouble]:
    """A container in a cgroup of a pod, an agent with the k8s attestor, and a kubelet."""
    folder = stage.folder / "kubelet"
    folder.mkdir()
    double = stage.stack.enter_context(kubernetes(folder, SmallCa(now=time.time())))
    (folder / "token").write_text(double.bearer)
    kubelet = {
        "node_name": "127.0.0.1",
        "kubelet_secure_port": int(double.url.rpartition(":")[2]),
        "kubelet_ca_path": double.ca_path,
        "token_path": str(folder / "token"),
        "max_poll_attempts": 3,
        "poll_retry_interval": 0.2,
    }
    place = f"kubepods/besteffort/pod{listed()['metadata']['uid']}"
    stage.stack.callback(take_away, place)
    engine = stage.stack.enter_context(docker_engine(stage.require))
    stage.transcript.words[str(engine.folder)] = "/var/lib/docker"
    stage.start({"k8s": kubelet, "unix": {}})
    return run(stage, engine, flags=[f"--cgroup-parent=/{place}"]), double


def take_away(place: str) -> None:
    """Remove cgroups that nothing is in any more, in every hierarchy."""
    for root in (CGROUPS, *CGROUPS.iterdir()):
        for path in (Path(place), *Path(place).parents[:-1]):
            with contextlib.suppress(OSError):
                (root / path).rmdir()


def listed() -> Any:
    """The pod as the kubelet lists it."""
    return recorded("pods").document["items"][POD]


def with_container(container: Container) -> Recorded:
    """The kubelet's list, in which the pod has this container."""
    status = ("items", POD, "status", "containerStatuses", WEB, "containerID")
    return recorded("pods").changed(*status, to=f"docker://{container.id}")


def explained(stage: Stage, container: Container) -> Said:
    refused = fetch(stage, container)
    return stage.type(f"finial explain --refusal {refusal_id(refused)}")


@situation("spiffe/spire-tutorials#123", "spiffe/spire-controller-manager#87")
def another_namespace(stage: Stage) -> None:
    """Everything was copied from the tutorial, and the pod runs in another namespace

    The entry wanted `k8s:ns:default`, and the pod ran in `spire`. The reporter found it by laying
    out the debug log one selector a line.
    """
    container, kubelet = with_kubelet(stage)
    kubelet.answers["/pods"] = with_container(container)
    stage.entry("/web", "k8s:ns:default", "k8s:sa:web")
    said = explained(stage, container)
    said.names("k8s:ns:default", "k8s:ns is 'shop', not 'default'")
    stage.fixed(said).names("k8s:ns:shop")


@situation("spiffe/spire-tutorials#75", "spiffe/spire-tutorials#85")
def kubelet_refuses(stage: Stage) -> None:
    """Only `unix` selectors are found for a pod, since the kubelet does not answer

    The agent could not ask the kubelet, said so in a line of the log, and went on with what was
    left.
    """
    container, kubelet = with_kubelet(stage)
    kubelet.bearer = "another.token"
    stage.entry("/web", "k8s:ns:shop", "k8s:sa:web")
    said = explained(stage, container)
    said.names("the attestor k8s failed", "401", "finial doctor")
    stage.type("finial doctor", only="attestor k8s").names("failed", "try:")


@situation("spiffe/spire#3092", "spiffe/spire#462")
def container_not_listed(stage: Stage) -> None:
    """The kubelet does not list the container

    `Container id not found`, attempt after attempt, and then no selectors: the pod was too new, or
    the container's ID was taken wrongly from its cgroup.
    """
    container, _ = with_kubelet(stage)
    stage.entry("/web", "k8s:ns:shop")
    said = explained(stage, container)
    said.names("the attestor k8s failed", container.id, "k8s:ns:shop")
