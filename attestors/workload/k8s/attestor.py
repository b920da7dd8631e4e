"""The k8s attestor: which container of which pod a process is in.

1. The kernel says by the process's cgroups which container and which pod they are named after. Only
   a cgroup that lies where a kubelet makes them counts (see `placement`).
2. The kubelet says which pods it runs. It has to know the container in the very pod that the path
   names, and nothing may be around it but what is around the agent, too: whoever makes a cgroup
   with somebody else's name below their own container is refused.
3. A pod that was just made may not be in the list yet, so the list is asked for again until the
   deadline, or `max_poll_attempts` times. A kubelet that can't be asked is not tried for that long.
4. What a list says is given to nobody after the list was dropped (see `kubelet`).

All of it belongs to the caller only if the process still lives afterwards; the agent checks.
"""

from typing import Final

from attestors.container import cgroup, hierarchies
from attestors.container.locate import Container, Contradiction, NoContainer, locate
from attestors.contract import Failed, Finding, NotApplicable, Process
from attestors.workload.k8s import placement
from attestors.workload.k8s.grammar import GRAMMAR, NAME
from attestors.workload.k8s.judgement import judge
from attestors.workload.k8s.kubelet import Kubelet
from attestors.workload.k8s.settings import Settings
from finial.explain.diagnosis import Diagnosis, Health
from finial.runtime.clock import Clock
from finial.spiffe.refusal import Kind, Refusal

MOST_FAILURES: Final = 3
OWN: Final = "/proc/self"


class K8sAttestor:
    """Gives `k8s:ns`, `sa`, `pod-*`, `container-*` and `node-name`."""

    name = NAME
    grammar = GRAMMAR

    def __init__(self, settings: Settings, kubelet: Kubelet, clock: Clock) -> None:
        self._settings = settings
        self._kubelet = kubelet
        self._clock = clock
        self._nodes = placement.nodes_of(OWN)
        self._mounts = hierarchies.mounts_here()

    async def attest(self, process: Process, deadline: float) -> Finding:
        """Look at a process until `deadline` (monotonic seconds)."""
        try:
            found = locate(process.proc)
        except Contradiction as contradiction:
            return Failed(Kind.DENIED, str(contradiction))
        except (cgroup.Malformed, OSError) as error:
            return Failed(Kind.UNAVAILABLE, f"{process.proc}/cgroup cannot be read: {error}")
        if isinstance(found, NoContainer):
            return NotApplicable(found.why)
        if why := placement.fault_of(found, self._mounts):
            return NotApplicable(why)
        return await self._look_for(found, deadline)

    async def diagnose(self, deadline: float) -> tuple[Diagnosis, ...]:
        """Ask the kubelet for its pods."""
        check = f"attestor {NAME}"
        try:
            pods = await self._kubelet.pods(deadline - self._clock.monotonic())
        except Refusal as refusal:
            remedy = refusal.remedy or f"make sure that the kubelet answers at {self._kubelet.url}"
            return (
                Diagnosis(check=check, health=Health.FAILED, detail=refusal.detail, remedy=remedy),
            )
        detail = f"the kubelet at {self._kubelet.url} lists {len(pods)} pods"
        if not self._kubelet.url.startswith("https:") or self._settings.skip_kubelet_verification:
            return (
                Diagnosis(
                    check=check,
                    health=Health.WARNING,
                    detail=f"{detail}, and nobody verifies that it is the kubelet",
                    remedy="use the kubelet's secure port and name its CA in kubelet_ca_path",
                ),
            )
        return (Diagnosis(check=check, health=Health.OK, detail=detail),)

    async def _look_for(self, container: Container, deadline: float) -> Finding:
        by_container = not self._settings.disable_container_selectors
        asked = failures = 0
        while True:
            try:
                pods = await self._kubelet.pods(deadline - self._clock.monotonic())
                asked += 1
                if finding := judge(container, pods, self._nodes, by_container=by_container):
                    return finding
                failed = Failed(
                    Kind.TIMEOUT,
                    f"none of the {len(pods)} pods that the kubelet lists has the container "
                    f"{container.id} (asked {asked} times)",
                )
            except Refusal as refusal:
                failures += 1
                failed = Failed(refusal.kind, str(refusal))
                if refusal.kind is not Kind.UNAVAILABLE or failures >= MOST_FAILURES:
                    return failed
            enough = asked >= self._settings.max_poll_attempts
            if enough or not await self._kubelet.pause_until(deadline):
                return failed
