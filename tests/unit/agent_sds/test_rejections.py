"""What is recorded of Envoys that do not take what they were sent."""

import logging
import os
from types import SimpleNamespace
from typing import Any

import pytest

from agent.api.sds.rejections import Rejections
from agent.api.sds.subscription import Rejection
from agent.events.journal import Journal
from agent.events.measures import Measures
from finial.runtime.reporting.metrics import Metrics
from tests.doubles.clock import StandingClock
from tests.doubles.running_agent import Records

SERVICE = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets"


class Desk:
    """Rejections with everything around them."""

    def __init__(self) -> None:
        self.clock = StandingClock()
        self.audit = Records()
        self.metrics = Metrics("agent")
        measures = Measures(self.metrics)
        journal = Journal(self.audit, self.clock, [measures.observe])
        self.rejections = Rejections(journal, measures, self.clock)

    def reject(self, uid: int = 7, names: tuple[str, ...] = ("default",)) -> None:
        call: Any = SimpleNamespace(
            peer=SimpleNamespace(pid=os.getpid(), uid=uid, gid=uid), method=SERVICE
        )
        self.rejections.record(call, Rejection(names, "v1", "bad key"))

    @property
    def counted(self) -> str:
        return self.metrics.exposition().decode()


def test_a_rejection_is_recorded_with_envoys_words(caplog: pytest.LogCaptureFixture) -> None:
    """Who, which secret, which version, and why."""
    desk = Desk()
    with caplog.at_level(logging.WARNING, "finial.agent.sds"):
        desk.reject()
    [record] = desk.audit.named("secret_rejected")
    assert record["names"] == ["default"]
    assert (record["version"], record["detail"], record["outcome"]) == ("v1", "bad key", "failed")
    [line] = caplog.messages
    assert line.endswith("does not take default (version v1): bad key")


def test_a_storm_is_counted_and_does_not_fill_anything(caplog: pytest.LogCaptureFixture) -> None:
    """One line a second of the log and of the audit log; the counter has them all."""
    desk = Desk()
    with caplog.at_level(logging.WARNING, "finial.agent.sds"):
        for _ in range(5000):
            desk.reject()
        assert len(caplog.messages) == len(desk.audit.named("secret_rejected")) == 1
        desk.clock.advance(2)
        desk.reject(names=())
    assert len(caplog.messages) == len(desk.audit.named("secret_rejected")) == 2
    assert desk.audit.named("secret_rejected")[1]["repeated"] == 4999
    assert "what was removed" in caplog.messages[1]
    assert 'secrets_rejected_total{method="StreamSecrets"} 5001.0' in desk.counted


def test_what_cannot_be_audited_is_still_heard() -> None:
    """A rejection is no act of ours that could be left undone."""
    desk = Desk()
    desk.audit.is_full = True
    desk.reject()


def test_very_many_users_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Who has many users has as many lines a second as there may be in all."""
    desk = Desk()
    with caplog.at_level(logging.WARNING, "finial.agent.sds"):
        for uid in range(3000):
            desk.reject(uid)
    assert len(caplog.messages) == 100
    assert len(desk.audit.named("secret_rejected")) == 101
