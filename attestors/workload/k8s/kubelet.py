"""The kubelet, asked for its pods: one request at a time for everybody who waits.

A list is used for one interval and then replaced; whoever does not find their container in it waits
for the next. Nothing of a list outlives it, so that no container is given what another one was.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from attestors.workload.k8s import pods
from attestors.workload.k8s.pods import Pods
from finial.runtime.clock import Clock
from finial.spiffe.refusal import Kind, Refusal

if TYPE_CHECKING:
    from attestors.kubernetes.endpoint import Endpoint

PATH: Final = "/pods"
SECONDS: Final = 5.0


class Kubelet:
    """Lists pods, at most one list in `interval` seconds."""

    def __init__(self, endpoint: "Endpoint", clock: Clock, interval: float) -> None:
        self.url = endpoint.url
        self._endpoint = endpoint
        self._clock = clock
        self._interval = interval
        self._asking: asyncio.Task[Pods] | None = None
        self._asked_at = float("-inf")

    async def pods(self, seconds: float) -> Pods:
        """Return a list that was asked for at most an interval ago, waiting up to `seconds`.

        Raises: Refusal of kind UNAVAILABLE, PRECONDITION (our own settings), TIMEOUT.
        """
        now = self._clock.monotonic()
        asking = self._asking
        if asking is None or (asking.done() and now - self._asked_at >= self._interval):
            asking = self._asking = asyncio.create_task(self._ask())
            # A failure that nobody waits for any more is nobody's.
            asking.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._asked_at = now
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(asking)
        except TimeoutError:
            raise Refusal(Kind.TIMEOUT, "the kubelet did not list its pods in time") from None

    async def pause_until(self, deadline: float) -> bool:
        """Wait until another list may be asked for; false if that is after the deadline."""
        now = self._clock.monotonic()
        if self._asked_at + self._interval >= deadline:
            return False
        await self._clock.sleep(self._asked_at + self._interval - now)
        return True

    async def _ask(self) -> Pods:
        answer = await self._endpoint.request(
            "GET", PATH, seconds=SECONDS, max_bytes=pods.MAX_BYTES
        )
        if answer.status in (401, 403):
            raise Refusal(
                Kind.PRECONDITION,
                f"the kubelet at {self.url} does not let the agent list pods (status "
                f"{answer.status})",
                remedy="let the agent's service account get nodes/proxy, or name a token or a "
                "certificate that may",
            )
        if answer.status != 200:
            raise Refusal(
                Kind.UNAVAILABLE, f"the kubelet at {self.url} answers with status {answer.status}"
            )
        try:
            return pods.read(answer.body)
        except pods.Malformed as error:
            raise Refusal(Kind.UNAVAILABLE, str(error)) from error
