"""The workload attestor k8s, against the list of pods of a real kubelet."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from attestors.container import cgroup, locate
from attestors.container.hierarchies import Mount
from attestors.contract import Attested, Failed, Finding, NotApplicable, Process
from attestors.workload.k8s import placement, pods
from attestors.workload.k8s.judgement import judge
from finial.explain.diagnosis import Health
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import StandingClock
from tests.doubles.kubernetes import Recorded, pod_on_node, process_in, recorded
from tests.unit.attestors.kubelet_answers import AWAY, Answers, attestor

WEB, DB = pod_on_node("web"), pod_on_node("db")
LIST = pods.read(recorded("pods").body)
ALONE = frozenset({()})
STRANGER = "f" * 64


def looked_at(folder: Path, *lines: str, answers: Answers | None = None, **changes: Any) -> Finding:
    """What the attestor finds at once for a process in these cgroups."""

    async def whole() -> Finding:
        made = attestor(answers or Answers(recorded("pods")), StandingClock(), **changes)
        process = Process(1, 0, 0, process_in(folder, *lines))
        return await made.attest(process, 1_000.4)

    return asyncio.run(whole())


def values(finding: Finding) -> set[str]:
    assert isinstance(finding, Attested), finding
    return {each.value for each in finding.selectors}


@pytest.mark.parametrize(
    "lines",
    [
        (WEB.cgroup("web"),),
        ("/", WEB.cgroup("web"), WEB.cgroup("web")),
        (WEB.cgroup("web", "/../.."),),
        (WEB.cgroup("web", "/kubelet/kubepods/burstable"),),
        (
            "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod"
            f"{WEB.uid.replace('-', '_')}.slice/cri-containerd-{WEB.containers['web']}.scope",
        ),
    ],
)
def test_a_process_is_in_the_pod_that_kernel_and_kubelet_agree_on(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    """Wherever the kubelet makes its cgroups, pod and container are found (QW-02, BW-02, BW-04)."""
    finding = looked_at(tmp_path / "p", *lines)
    assert {
        "ns:shop",
        "sa:web",
        "node-name:node1",
        f"pod-uid:{WEB.uid}",
        f"pod-name:{WEB.name}",
        "pod-label:app:web",
        "container-name:web",
        "container-image:finial:0.1.0",
        "pod-image-count:2",
        "pod-init-image-count:1",
    } <= values(finding)
    assert isinstance(finding, Attested)
    assert ("pod", f"shop/{WEB.name}") in finding.facts


def test_two_containers_of_a_pod_share_all_but_themselves(tmp_path: Path) -> None:
    """What tells them apart is the container's name and image (QW-02)."""
    web, sidecar = (
        values(looked_at(tmp_path / name, WEB.cgroup(name))) for name in ("web", "sidecar")
    )
    assert {each.partition(":")[0] for each in web ^ sidecar} == {
        "container-name",
        "container-image",
    }


def test_a_container_that_prepares_a_pod_is_one_of_its_containers(tmp_path: Path) -> None:
    """Init containers are attested too (BW-04)."""
    assert "container-name:prepare" in values(looked_at(tmp_path, WEB.cgroup("prepare")))


def test_containers_need_not_be_told_apart(tmp_path: Path) -> None:
    """With disable_container_selectors the pod is enough, before its container is listed (BW-04)."""
    found = looked_at(tmp_path / "p", WEB.cgroup("web"), disable_container_selectors=True)
    assert not [each for each in values(found) if each.startswith("container-")]
    new = f"/kubepods/pod{WEB.uid}/{STRANGER}"
    finding = looked_at(tmp_path / "q", new, disable_container_selectors=True)
    assert values(finding) == values(found)
    other = f"/kubepods/pod{WEB.uid[:-1]}0/{STRANGER}"
    assert isinstance(looked_at(tmp_path / "r", other, disable_container_selectors=True), Failed)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("/",), "no cgroup of the process names a container"),
        ((f"/docker/{STRANGER}",), "names no pod"),
        ((WEB.cgroup("web", "/user.slice/user-1000.slice/kubepods"),), "a user's own"),
        ((WEB.cgroup("web", "/../../user.slice/user-0.slice"),), "a user's own"),
        ((WEB.cgroup("web", "/user.slice/kubepods"),), "a user's own"),
        ((WEB.cgroup("web", "/system.slice/builder.service/kubepods"),), "builder.service"),
    ],
)
def test_a_process_elsewhere_is_in_no_pod(tmp_path: Path, lines: tuple[str, ...], why: str) -> None:
    """Names that people may have made are not the kubelet's, and the kubelet is not asked."""
    answers = Answers(recorded("pods"))
    finding = looked_at(tmp_path, *lines, answers=answers)
    assert isinstance(finding, NotApplicable)
    assert why in finding.why
    assert not answers.asked


def test_a_cgroup_that_is_not_roots_alone_is_no_kubelets(tmp_path: Path) -> None:
    """Whoever may write to a cgroup above the pod's names what is below it."""
    found = located(WEB.cgroup("web", "/builders.slice/kubepods"))
    here = (Mount(frozenset({""}), str(tmp_path)),)
    assert placement.fault_of(found, here) is None
    above = tmp_path / "builders.slice"
    (above / "kubepods" / f"pod{WEB.uid}").mkdir(parents=True)
    above.chmod(0o777)
    assert "others than root may write" in str(placement.fault_of(found, here))
    assert placement.fault_of(found, (Mount(frozenset({"pids"}), str(tmp_path)),)) is None


@pytest.mark.parametrize(
    ("above", "is_kubelets"),
    [
        ("/..", True),
        ("/../../burstable", True),
        ("/../../../kubepods.slice/kubepods-besteffort.slice", True),
        ("/../../kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice", True),
        ("/../../kubelet/kubepods", True),
        ("/../../../../lxc.payload.builder/kubepods", False),
        ("/../../../../lxc.payload.builder-kubepods.slice", False),
        ("/../../machine.slice/machine-builder.scope/payload/kubepods.slice", False),
        ("/../builders.slice/kubepods", False),
        ("/../../kubepods/builder", False),
    ],
)
def test_beside_an_agent_in_a_pod_only_kubelets_names_count(above: str, is_kubelets: bool) -> None:
    """In a cgroup namespace of its own the agent cannot see who owns a group: names decide."""
    fault = placement.fault_of(located(WEB.cgroup("web", above)))
    assert (fault is None) == is_kubelets
    assert is_kubelets or "which no kubelet makes" in str(fault)


def test_hierarchies_that_disagree_are_denied(tmp_path: Path) -> None:
    """A process is in one pod, or in none that we would name (BW-02)."""
    finding = looked_at(tmp_path, WEB.cgroup("web"), DB.cgroup("web"))
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.DENIED


def test_a_pods_container_below_another_is_denied(tmp_path: Path) -> None:
    """Whoever makes a cgroup with a victim's name below their own container is found out."""
    for own in (DB.cgroup("web"), f"/docker/{STRANGER}"):
        finding = looked_at(tmp_path, WEB.cgroup("web", own))
        assert isinstance(finding, Failed)
        assert finding.kind is Kind.DENIED


def test_a_container_of_somebody_else_below_a_pods_is_not_the_pod(tmp_path: Path) -> None:
    """What an engine inside a pod runs is none of the kubelet's containers."""
    inner = f"{DB.cgroup('web')}/kubepods/pod{WEB.uid[:-1]}0/{STRANGER}"
    finding = looked_at(tmp_path, inner)
    assert isinstance(finding, NotApplicable)


def located(*lines: str) -> locate.Container:
    content = "".join(f"0::{line}\n" for line in lines)
    found = locate.judge(cgroup.parse(content.encode()))
    assert isinstance(found, locate.Container)
    return found


def test_a_node_may_be_a_container_that_the_agent_is_in_too(tmp_path: Path) -> None:
    """As with kind: what is around the agent may be around the pods, and nothing else."""
    around = f"/docker/{STRANGER}/kubelet/kubepods/besteffort"
    agent = process_in(tmp_path / "agent", DB.cgroup("web", around))
    found = located(WEB.cgroup("web", around))
    assert isinstance(judge(found, LIST, placement.nodes_of(agent), by_container=True), Attested)
    assert isinstance(judge(found, LIST, ALONE, by_container=True), Failed)
    service = process_in(tmp_path / "service", f"/docker/{STRANGER}/system.slice/agent.service")
    assert isinstance(judge(found, LIST, placement.nodes_of(service), by_container=True), Attested)
    outside = located(WEB.cgroup("web"))
    assert isinstance(judge(outside, LIST, placement.nodes_of(agent), by_container=True), Failed)
    assert placement.nodes_of(str(tmp_path / "nobody")) == ALONE
    assert placement.nodes_of(process_in(tmp_path / "host", "/")) == ALONE


def test_a_container_in_two_pods_or_in_another_one_is_denied() -> None:
    """The kubelet has to know the container in the pod that the cgroup names, and there only."""
    document = recorded("pods").document
    twice = json.loads(json.dumps(document))
    for each in twice["items"]:
        if each["metadata"]["uid"] == DB.uid:
            each["status"]["containerStatuses"][0]["containerID"] = (
                f"docker://{WEB.containers['web']}"
            )
    found = located(WEB.cgroup("web"))
    both = judge(found, pods.read(Recorded(200, twice).body), ALONE, by_container=True)
    assert isinstance(both, Failed)
    assert both.kind is Kind.DENIED
    crossed = located(f"/kubepods/pod{DB.uid}/{WEB.containers['web']}")
    finding = judge(crossed, LIST, ALONE, by_container=True)
    assert isinstance(finding, Failed)
    assert finding.kind is Kind.DENIED


def test_a_container_that_was_opened_for_debugging_is_not_the_pod() -> None:
    """Who may debug a pod does not get its identity by that."""
    document = json.loads(recorded("pods").body)
    opened = {"name": "debugger", "containerID": f"docker://{STRANGER}"}
    for each in document["items"]:
        if each["metadata"]["uid"] == WEB.uid:
            each["status"]["ephemeralContainerStatuses"] = [opened]
    found = located(f"/kubepods/pod{WEB.uid}/{STRANGER}")
    finding = judge(found, pods.read(json.dumps(document).encode()), ALONE, by_container=True)
    assert isinstance(finding, NotApplicable)
    assert "debugging" in finding.why


def test_an_end_that_is_near_leaves_no_time_to_ask_again(tmp_path: Path) -> None:
    """A failure just before the deadline is the answer."""
    finding = looked_at(tmp_path, WEB.cgroup("web"), answers=Answers(AWAY))
    assert isinstance(finding, Failed)


def test_a_process_that_has_ended_or_makes_no_sense_failed(tmp_path: Path) -> None:
    """What cannot be read is not guessed."""
    assert isinstance(looked_at(tmp_path / "p", "not a path"), Failed)

    async def whole() -> Finding:
        made = attestor(Answers(recorded("pods")), StandingClock())
        return await made.attest(Process(1, 0, 0, str(tmp_path / "none")), 2_000.0)

    assert isinstance(asyncio.run(whole()), Failed)


def test_the_attestor_says_how_it_is() -> None:
    """A kubelet that lists is well, unless nobody verifies that it is one."""

    async def diagnosed(answer: Recorded | Refusal, **changes: Any) -> Any:
        clock = StandingClock()
        [found] = await attestor(Answers(answer), clock, **changes).diagnose(clock.monotonic() + 5)
        return found

    well = asyncio.run(diagnosed(recorded("pods")))
    assert well.health is Health.OK
    assert f"lists {len(LIST)} pods" in well.detail
    unsure = asyncio.run(diagnosed(recorded("pods"), skip_kubelet_verification=True))
    assert unsure.health is Health.WARNING
    assert "kubelet_ca_path" in unsure.remedy
    for answer in (recorded("pods-forbidden"), AWAY):
        failed = asyncio.run(diagnosed(answer))
        assert failed.health is Health.FAILED
        assert failed.remedy
