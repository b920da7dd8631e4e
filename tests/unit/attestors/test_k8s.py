"""The workload attestor k8s, against the list of pods of a real kubelet."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from attestors.container import cgroup, locate
from attestors.contract import Attested, Failed, Finding, NotApplicable, Process
from attestors.workload.k8s import placement, pods
from attestors.workload.k8s.attestor import MOST_FAILURES, K8sAttestor
from attestors.workload.k8s.judgement import judge
from attestors.workload.k8s.kubelet import Kubelet
from attestors.workload.k8s.settings import Settings, access
from finial.explain.diagnosis import Health
from finial.runtime.settings import SettingsError, load
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import StandingClock, settle
from tests.doubles.kubernetes import Recorded, pod_on_node, process_in, recorded

WEB, DB = pod_on_node("web"), pod_on_node("db")
LIST = pods.read(recorded("pods").body)
ALONE = frozenset({()})
STRANGER = "f" * 64


class Answers:
    """Answers like an endpoint, with what a test gives it, the last one for ever."""

    url = "https://10.99.0.2:10250"

    def __init__(self, *answers: Recorded | Refusal) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.held = asyncio.Event()
        self.held.set()

    async def request(self, *_: object, **__: object) -> Any:
        self.asked += 1
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await self.held.wait()
        if isinstance(given, Refusal):
            raise given
        return given


def attestor(answers: Answers, clock: StandingClock, **changes: Any) -> K8sAttestor:
    settings = Settings(**changes)
    kubelet = Kubelet(answers, clock, settings.poll_retry_interval)  # type: ignore[arg-type]
    return K8sAttestor(settings, kubelet, clock)


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


EMPTY = Recorded(200, {"kind": "PodList", "items": None})
AWAY = Refusal(Kind.UNAVAILABLE, "the kubelet cannot be asked (refused)")


async def attested(
    folder: Path, answers: Answers, clock: StandingClock, seconds: float, **changes: Any
) -> "asyncio.Task[Finding]":
    process = Process(1, 0, 0, process_in(folder, WEB.cgroup("web")))
    made = attestor(answers, clock, **changes)
    task = asyncio.create_task(made.attest(process, clock.monotonic() + seconds))
    await settle()
    return task


def test_a_new_pod_is_looked_for_again(tmp_path: Path) -> None:
    """The list is asked for once an interval until the container is in it (BW-04)."""

    async def whole() -> None:
        clock, answers = StandingClock(), Answers(EMPTY, AWAY, EMPTY, recorded("pods"))
        task = await attested(tmp_path, answers, clock, 10.0)
        for asked in (1, 2, 3):
            assert answers.asked == asked
            await clock.pass_time(0.5)
        assert isinstance(task.result(), Attested)

    asyncio.run(whole())


def test_a_pod_that_is_never_listed_ends_at_the_deadline(tmp_path: Path) -> None:
    """No sleep begins that would end after the deadline."""

    async def whole() -> None:
        clock, answers = StandingClock(), Answers(EMPTY)
        task = await attested(tmp_path, answers, clock, 1.2)
        await clock.pass_time(0.5)
        await clock.pass_time(0.5)
        finding = task.result()
        assert isinstance(finding, Failed)
        assert finding.kind is Kind.TIMEOUT
        assert "asked 3 times" in finding.detail

    asyncio.run(whole())


def test_attempts_are_counted(tmp_path: Path) -> None:
    """max_poll_attempts bounds them where the deadline does not."""

    async def whole() -> None:
        clock, answers = StandingClock(), Answers(EMPTY)
        task = await attested(tmp_path, answers, clock, 99.0, max_poll_attempts=2)
        await clock.pass_time(0.5)
        assert isinstance(task.result(), Failed)
        assert answers.asked == 2

    asyncio.run(whole())


def test_a_kubelet_that_is_away_is_not_tried_for_long(tmp_path: Path) -> None:
    """After a few failures the caller is told, long before the deadline."""

    async def whole() -> None:
        clock, answers = StandingClock(), Answers(AWAY)
        task = await attested(tmp_path, answers, clock, 99.0)
        for _ in range(MOST_FAILURES - 1):
            await clock.pass_time(0.5)
        finding = task.result()
        assert isinstance(finding, Failed)
        assert finding.kind is Kind.UNAVAILABLE
        assert answers.asked == MOST_FAILURES

    asyncio.run(whole())


def test_a_kubelet_that_hangs_costs_no_more_than_the_deadline(tmp_path: Path) -> None:
    """The request goes on for whoever comes next."""

    async def whole() -> None:
        answers = Answers(recorded("pods"))
        answers.held.clear()
        clock = StandingClock()
        made = attestor(answers, clock)
        process = Process(1, 0, 0, process_in(tmp_path, WEB.cgroup("web")))
        late = await made.attest(process, clock.monotonic() + 0.05)
        assert isinstance(late, Failed)
        assert late.kind is Kind.TIMEOUT
        answers.held.set()
        assert isinstance(await made.attest(process, clock.monotonic() + 5), Attested)
        assert answers.asked == 1

    asyncio.run(whole())


def test_who_asks_at_the_same_time_shares_a_list(tmp_path: Path) -> None:
    """A list serves everybody for an interval, and nobody afterwards (BW-04)."""

    async def whole() -> None:
        clock, answers = StandingClock(), Answers(recorded("pods"), EMPTY)
        made = attestor(answers, clock)
        process = Process(1, 0, 0, process_in(tmp_path, WEB.cgroup("web")))
        deadline = clock.monotonic() + 0.6
        both = await asyncio.gather(made.attest(process, deadline), made.attest(process, deadline))
        assert both[0] == both[1]
        assert isinstance(both[0], Attested)
        assert isinstance(both[1], Attested)
        # One tuple, so that nobody compares its selectors later.
        assert both[0].selectors is both[1].selectors
        assert answers.asked == 1
        clock.advance(0.5)
        assert isinstance(await made.attest(process, deadline), Failed)
        assert answers.asked == 2

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (recorded("pods-unauthorized"), Kind.PRECONDITION, "status 401"),
        (recorded("pods-forbidden"), Kind.PRECONDITION, "nodes/proxy"),
        (Recorded(500, ""), Kind.UNAVAILABLE, "status 500"),
        (Recorded(200, "<html>"), Kind.UNAVAILABLE, "cannot be read"),
        (Recorded(200, {"kind": "Status", "items": []}), Kind.UNAVAILABLE, "no PodList"),
        (
            Recorded(200, {"kind": "PodList", "items": [{"metadata": {}}]}),
            Kind.UNAVAILABLE,
            "cannot be read",
        ),
    ],
)
def test_a_kubelet_that_does_not_list_says_why(
    tmp_path: Path, answer: Recorded, kind: Kind, said: str
) -> None:
    """What the agent lacks is named, with the right that it needs."""

    async def whole() -> Finding:
        clock = StandingClock()
        task = await attested(tmp_path, Answers(answer), clock, 99.0)
        for _ in range(MOST_FAILURES):
            await clock.pass_time(0.5)
        return task.result()

    finding = asyncio.run(whole())
    assert isinstance(finding, Failed)
    assert finding.kind is kind
    assert said in finding.detail


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


@pytest.mark.parametrize(
    ("settings", "environ", "url"),
    [
        (Settings(), {}, "https://127.0.0.1:10250"),
        (Settings(), {"MY_NODE_NAME": "n1"}, "https://n1:10250"),
        (
            Settings(),
            {"MY_NODE_NAME": "n1", "MY_NODE_ADDRESS": "10.0.0.1"},
            "https://10.0.0.1:10250",
        ),
        (Settings(), {"MY_NODE_ADDRESS": "fd00::1"}, "https://[fd00::1]:10250"),
        (Settings(node_name="n2", kubelet_secure_port=1), {"MY_NODE_NAME": "n1"}, "https://n2:1"),
        (Settings(kubelet_read_only_port=10255), {}, "http://127.0.0.1:10255"),
    ],
)
def test_the_kubelet_is_found_by_address_or_name(
    settings: Settings, environ: dict[str, str], url: str
) -> None:
    """By the node's address, then its name, then this host (QW-02)."""
    found = access(settings, environ, "here")
    assert found.url == url
    assert found.server_name == ("here" if url == "https://127.0.0.1:10250" else "")


def test_who_we_are_is_one_thing() -> None:
    """A token, a certificate, or nobody; the read-only port is never sent a token (QW-02)."""
    assert access(Settings(), {}, "").token_path
    assert not access(Settings(kubelet_read_only_port=1), {}, "").token_path
    assert not access(Settings(use_anonymous_authentication=True), {}, "").token_path
    by_certificate = access(Settings(certificate_path="c", private_key_path="k"), {}, "")
    assert not by_certificate.token_path
    assert (by_certificate.certificate_path, by_certificate.private_key_path) == ("c", "k")


@pytest.mark.parametrize(
    "table",
    [
        {"kubelet_secure_port": 1, "kubelet_read_only_port": 2},
        {"private_key_path": "k"},
        {"use_anonymous_authentication": True, "certificate_path": "c"},
        {"max_poll_attempts": 0},
        {"poll_retry_interval": "0s"},
        {"kubelet_secure_port": 65_536},
    ],
)
def test_settings_that_contradict_each_other_are_refused(table: dict[str, Any]) -> None:
    """A configuration that cannot work is said at the start."""
    with pytest.raises(SettingsError):
        load(Settings, table, "plugins.workload_attestor.k8s")
