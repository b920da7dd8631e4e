"""The examples on real Kubernetes 1.20; `make test-k8s` builds it.

The kubelet, the API server, the controllers and the scheduler are real, and so are the image and
the manifests. Not tried: more than one node, a runtime other than Docker, systemd's cgroups, a
cluster's own DNS and network plugin.
"""

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.doubles.programs import ROOT, eventually
from tests.interop.kubernetes import workloads
from tests.interop.kubernetes.answers import (
    READ_ONLY,
    RECORDINGS,
    Asked,
    Asker,
    no_longer_accepted,
    review_of,
    shape,
)
from tests.interop.kubernetes.configuration import ADDRESS, NODE
from tests.interop.kubernetes.workloads import SHOP, pod_of
from tests.interop.kubernetes.world import AGENT_SOCKET, World, explained_process, identities

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("kubernetes"),
    pytest.mark.skipif(
        "K8S_BUILD" not in os.environ, reason="K8S_BUILD is not set; run: make test-k8s"
    ),
]


def test_the_agent_joined_by_its_token_and_is_named_after_its_node(world: World) -> None:
    """The API server reviewed the token; path and selectors are those of PN-02."""
    [agent] = world.agents()
    assert agent["id"] == f"spiffe://example.org{world.agent_path()}"
    assert agent["can_reattest"]
    name = pod_of(world.cluster, "finial-agent", "finial")
    pod = world.cluster.get("pod", name, "--namespace=finial")["metadata"]
    uid = world.cluster.get("node", NODE)["metadata"]["uid"]
    assert set(agent["selectors"]) == {
        "k8s_psat:cluster:demo",
        "k8s_psat:agent_ns:finial",
        "k8s_psat:agent_sa:finial-agent",
        f"k8s_psat:agent_pod_name:{name}",
        f"k8s_psat:agent_pod_uid:{pod['uid']}",
        f"k8s_psat:agent_node_ip:{ADDRESS}",
        f"k8s_psat:agent_node_name:{NODE}",
        f"k8s_psat:agent_node_uid:{uid}",
    }


def test_two_pods_of_the_same_image_are_told_apart(world: World) -> None:
    """Each gets the identity that its label is registered for, and no other."""
    assert world.fetched("web") == ["spiffe://example.org/web"]
    assert world.fetched("db") == ["spiffe://example.org/db"]


def test_the_containers_of_a_pod_are_told_apart(world: World) -> None:
    """An identity for one container of a pod is not for its sidecar (QW-02)."""
    world.register(
        "spiffe://example.org/web-only", "spiffe://example.org/nodes",
        "k8s:pod-label:app:web", "k8s:container-name:web", "k8s:container-image:finial:0.1.0",
    )  # fmt: skip
    eventually(lambda: len(world.fetched("web")) == 2, 20, "the entry reaches the agent")
    assert world.fetched("web", "sidecar") == ["spiffe://example.org/web"]


def test_explain_shows_pod_container_and_every_selector(world: World) -> None:
    """What the attestor found is what the cluster says (QW-02, BW-04)."""
    name = pod_of(world.cluster, "web")
    pod = world.cluster.get("pod", name, f"--namespace={SHOP}")
    found = explained_process(world, world.container_of("web"))["k8s"]
    assert dict(found["facts"]) == {
        "container": world.container_of("web"),
        "pod": f"{SHOP}/{name}",
        "container name": "web",
    }
    [owner] = pod["metadata"]["ownerReferences"]
    images = {each["name"]: each for each in pod["status"]["containerStatuses"]}
    [prepared] = pod["status"]["initContainerStatuses"]
    assert set(found["selectors"]) == {
        f"k8s:ns:{SHOP}",
        "k8s:sa:web",
        f"k8s:node-name:{NODE}",
        f"k8s:pod-uid:{pod['metadata']['uid']}",
        f"k8s:pod-name:{name}",
        "k8s:pod-label:app:web",
        f"k8s:pod-label:pod-template-hash:{pod['metadata']['labels']['pod-template-hash']}",
        f"k8s:pod-owner:ReplicaSet:{owner['name']}",
        f"k8s:pod-owner-uid:ReplicaSet:{owner['uid']}",
        "k8s:pod-image-count:2",
        "k8s:pod-init-image-count:1",
        *(f"k8s:pod-image:{images[each]['image']}" for each in images),
        *(f"k8s:pod-image:{images[each]['imageID']}" for each in images),
        f"k8s:pod-init-image:{prepared['image']}",
        f"k8s:pod-init-image:{prepared['imageID']}",
        "k8s:container-name:web",
        f"k8s:container-image:{images['web']['image']}",
        f"k8s:container-image:{images['web']['imageID']}",
    }


@pytest.mark.parametrize("number", range(3))
def test_a_pod_may_ask_as_soon_as_it_runs(world: World, number: int) -> None:
    """A container that the kubelet does not list yet is looked for again (BW-04)."""
    name = f"early-{number}"
    world.apply([workloads.early(name)])
    phase, said = world.ended(name)
    assert phase == "Succeeded", said
    assert "spiffe://example.org/web" in identities(said)
    world.remove(name)


def test_a_label_that_changes_changes_the_identity(world: World) -> None:
    """What the kubelet listed before is forgotten within a second."""
    pod = ("pod", pod_of(world.cluster, "db"), f"--namespace={SHOP}", "--overwrite")
    container = world.container_of("db")
    fetch = ("docker", "exec", container, "finial", "fetch", "x509", "--output=json")
    world.cluster.kubectl("label", *pod, "app=web")
    eventually(
        lambda: (
            "spiffe://example.org/web"
            in identities(world.cluster.run(*fetch, check=False).stdout or '{"svids":[]}')
        ),
        20,
        "the new label is seen",
    )
    said = world.cluster.run(*fetch).stdout
    assert "spiffe://example.org/db" not in identities(said)
    world.cluster.kubectl("label", *pod, "app=db")


def test_a_pod_without_an_entry_is_refused_and_told_an_id(world: World) -> None:
    """The workload learns nothing but an id, with which the operator finds the reason."""
    pod = {**workloads.early("nobody")}
    pod["metadata"] = {**pod["metadata"], "labels": {"app": "nobody"}}
    world.apply([pod])
    phase, said = world.ended("nobody")
    assert phase == "Failed"
    assert "no identity issued" in said
    assert "example.org" not in said
    world.remove("nobody")


def test_an_agent_with_another_account_is_refused(world: World) -> None:
    """A token for the right audience is worth nothing for an account that is not listed (PN-02)."""
    world.apply([workloads.stray_agent("stray")])
    phase, said = world.ended("stray")
    assert phase == "Failed"
    assert '"shop:web" is not an allowed service account' in said
    assert len(world.agents()) == 1
    world.remove("stray")


def test_an_agent_with_a_token_for_somebody_else_is_refused(world: World) -> None:
    """A token that was made for another audience is not accepted (PN-02)."""
    world.apply([workloads.stray_agent("stray-audience", {"audience": "somebody"})])
    phase, said = world.ended("stray-audience")
    assert phase == "Failed"
    assert "token not authenticated" in said
    world.remove("stray-audience")


def test_a_token_ends_with_its_pod(world: World) -> None:
    """Soon after a pod is deleted its token proves nothing; the API server says so."""
    asker = Asker(world.cluster)
    world.apply([workloads.early("short")])
    world.ended("short")
    token = asker.token("web", SHOP, "short")
    assert review_of(asker, token)["authenticated"]
    world.remove("short")
    assert no_longer_accepted(asker, token)


def test_a_process_in_a_cgroup_of_its_own_making_is_no_pod(world: World) -> None:
    """A user's cgroup that is named after a pod and its container brings none of its identity."""
    pod = world.cluster.get("pod", pod_of(world.cluster, "web"), f"--namespace={SHOP}")
    victim = f"kubepods/besteffort/pod{pod['metadata']['uid']}/{world.container_of('web')}"
    own = Path(f"/sys/fs/cgroup/{hierarchy()}user.slice/user-1000.slice/{uuid.uuid4()}.scope")
    forged = own / victim
    said = fetched_in(world, forged)
    assert "no identity issued" in said
    fault = "is a user's own, and no kubelet's"
    assert fault in explained(world, said)


@pytest.mark.parametrize("whose", ["a pod", "the engine"])
def test_a_cgroup_made_inside_a_container_is_denied(world: World, whose: str) -> None:
    """Who makes a cgroup with a victim's name below their own container's gets nothing."""
    container = world.container_of("db") if whose == "a pod" else world.plain_container()
    pod = world.cluster.get("pod", pod_of(world.cluster, "web"), f"--namespace={SHOP}")
    victim = f"kubepods/besteffort/pod{pod['metadata']['uid']}/{world.container_of('web')}"
    own = Path(f"/sys/fs/cgroup/{hierarchy()}") / cgroup_of(world, container)
    said = fetched_in(world, own / victim)
    assert "example.org" not in said
    assert "somebody made a cgroup named after a pod" in explained(world, said) + said


def test_the_kubelets_end_is_survived(world: World) -> None:
    """Without a kubelet callers are told so within seconds; when it is back, all is well."""
    container = world.container_of("web")
    fetch = (
        "docker",
        "exec",
        container,
        "finial",
        "fetch",
        "x509",
        "--output=json",
        "--timeout=20",
    )
    world.cluster.kill("kubelet")
    began = time.monotonic()
    try:
        done = world.cluster.run(*fetch, check=False)
    finally:
        world.cluster.start_kubelet()
    assert time.monotonic() - began < 15
    assert done.returncode != 0
    assert "the workload cannot be attested" in done.stderr
    world.cluster.await_node()
    eventually(lambda: world.cluster.run(*fetch, check=False).returncode == 0, 60, "it works again")
    assert "the kubelet cannot be asked" in explained(
        world, json.loads(done.stderr)["error"]["detail"]
    )


def test_a_new_agent_pod_is_the_same_agent(world: World) -> None:
    """An agent whose pod was replaced attests again, and serves the same workloads (BR-02)."""
    [before] = world.agents()
    first = pod_of(world.cluster, "finial-agent", "finial")
    world.cluster.kubectl("delete", "pod", first, "--namespace=finial")
    world.await_rollout("daemonset/finial-agent", "finial")
    eventually(lambda: "spiffe://example.org/web" in world.fetched("web"), 60, "it serves again")
    [after] = world.agents()
    assert after["id"] == before["id"]
    assert after["x509svid_serial_number"] != before["x509svid_serial_number"]
    second = pod_of(world.cluster, "finial-agent", "finial")
    assert f"k8s_psat:agent_pod_name:{second}" in after["selectors"]


def test_a_new_server_pod_is_the_same_server(world: World) -> None:
    """The server's volume outlives its pod; workloads are served meanwhile."""
    [before] = world.agents()
    world.cluster.kubectl("delete", "pod", "finial-server-0", "--namespace=finial", "--wait=false")
    assert "spiffe://example.org/web" in world.fetched("web")
    world.cluster.kubectl(
        "wait", "pod/finial-server-0", "--namespace=finial", "--for=delete", "--timeout=60s"
    )
    world.await_rollout("statefulset/finial-server", "finial")
    # The pod is ready for agents, and for administrators a moment later.
    listing = ("finial-server", "finial", "agent", "list")
    server = {"container": "server", "namespace": "finial"}
    eventually(lambda: world.inside(*listing, **server).returncode == 0, 60)
    assert [each["id"] for each in world.agents()] == [before["id"]]
    assert world.fetched("db") == ["spiffe://example.org/db"]


def test_the_bundle_is_published(world: World) -> None:
    """New agents begin to trust the server by a ConfigMap that is kept like its bundle."""
    published = world.cluster.get("configmap", "finial-bundle", "--namespace=finial")
    show = "print(open('/var/lib/finial/ca/bundle.pem').read(), end='')"
    server = {"container": "server", "namespace": "finial"}
    written = world.inside("finial-server", "/opt/finial/bin/python", "-c", show, **server)
    assert written.returncode == 0
    assert published["data"]["bundle.pem"] == written.stdout


def test_the_image_is_bare_and_the_server_is_nobody(world: World) -> None:
    """There is no shell in the image, and what it runs as by default is no user of the machine."""
    image = json.loads(world.cluster.docker("image", "inspect", "finial:0.1.0"))[0]["Config"]
    assert image["User"] == "10001:10001"
    for shell in ("/bin/sh", "/bin/bash", "/usr/bin/dash", "/usr/bin/apt-get"):
        done = world.inside("finial-server", shell, container="server", namespace="finial")
        assert done.returncode != 0
        assert "no such file or directory" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("app", "container"), [("finial-agent", "agent"), ("finial-server", "server")]
)
def test_the_doctor_finds_nothing_that_fails(world: World, app: str, container: str) -> None:
    """The manifests make a healthy agent and a healthy server, and the kubelet is reached."""
    said = ""

    def well() -> bool:
        nonlocal said
        done = world.inside(
            app, "finial", "doctor", "--output=json", container=container, namespace="finial"
        )
        said = done.stdout
        return done.returncode == 0

    # After its server was replaced an agent waits for a while before it looks again.
    eventually(well, 120, "all is well again")
    assert app != "finial-agent" or "the kubelet at https://10.99.0.2:10250 lists" in said


def test_the_recordings_are_what_the_cluster_answers(world: World) -> None:
    """The double's answers are like those of the real API server and kubelet, or are recorded now."""
    asker = Asker(world.cluster)
    answers = asker.answers()
    assert shape(asker.ask(Asked(f"{READ_ONLY}/pods"))) == shape(answers["pods"])
    if os.environ.get("RECORD"):
        RECORDINGS.mkdir(exist_ok=True)
        for name, answer in answers.items():
            text = json.dumps(answer, indent=1, sort_keys=True)
            (RECORDINGS / f"{name}.json").write_text(f"{text}\n")
    for name, answer in answers.items():
        recorded = json.loads((RECORDINGS / f"{name}.json").read_text())
        assert shape(answer) == shape(recorded), name
        assert answer["status"] == recorded["status"], name


def hierarchy() -> str:
    """The beginning of a cgroup's path: a hierarchy of v1, or nothing for v2 alone."""
    return "pids/" if Path("/sys/fs/cgroup/pids").is_dir() else ""


def cgroup_of(world: World, container: str) -> str:
    """Where a container is, below the root of its hierarchy."""
    template = "{{.State.Pid}}"
    pid = world.cluster.docker("inspect", f"--format={template}", container).strip()
    lines = world.cluster.run("cat", f"/proc/{pid}/cgroup").stdout.splitlines()
    wanted = f":{hierarchy().rstrip('/')}:"
    [line] = [each for each in lines if wanted in each]
    return line.rpartition(":")[2].lstrip("/")


def fetched_in(world: World, cgroup: Path) -> str:
    """What a process of this machine is told when it asks from a cgroup that it made."""
    made = [each for each in (cgroup, *cgroup.parents) if not each.exists()]
    cgroup.mkdir(parents=True)
    script = f'echo $$ > {cgroup}/cgroup.procs; exec "$@"'
    ask = (sys.executable, "-m", "cli", "fetch", "x509", f"--socket={workloads.SOCKET}")
    try:
        done = world.cluster.run("sh", "-c", script, "sh", *ask, check=False, cwd=ROOT)
    finally:
        for each in made:
            subprocess.run(["rmdir", str(each)], check=False)
    return done.stdout + done.stderr


def explained(world: World, said: str) -> str:
    """The operator's explanation of a refusal, by the id that a workload was told."""
    refusal = said.rpartition("--refusal ")[2].split()[0]
    done = world.inside(
        "finial-agent", "finial", "explain", f"--refusal={refusal}",
        f"--admin-socket={AGENT_SOCKET}", container="agent", namespace="finial",
    )  # fmt: skip
    return " ".join((done.stdout + done.stderr).split())
