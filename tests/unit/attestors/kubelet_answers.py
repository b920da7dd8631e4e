"""A kubelet that answers what a test gives it, and an attestor that asks it."""

import asyncio
from typing import Any

from attestors.workload.k8s.attestor import K8sAttestor
from attestors.workload.k8s.kubelet import Kubelet
from attestors.workload.k8s.settings import Settings
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.clock import StandingClock
from tests.doubles.kubernetes import Recorded

AWAY = Refusal(Kind.UNAVAILABLE, "the kubelet cannot be asked (refused)")


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
