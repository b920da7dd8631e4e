"""Callees, callers and verdicts, made short."""

from typing import Any

from agent.access.asked import Asked
from agent.access.callees import Asker, Callee
from agent.access.caller import Caller, Callers, Means
from agent.access.reasons import Obstacle, Reason
from agent.access.verdict import Outcome, Verdict
from agent.attestation.attempt import Caller as Process
from agent.cache.entitlement import Entitlements
from agent.cache.view import Holdings
from finial.policy.grounds import Ground
from finial.spiffe.bundle import Bundle
from finial.spiffe.identity import SpiffeId, TrustDomain
from tests.doubles.clock import NOW
from tests.doubles.entitlements import TRUST_DOMAIN, entitlement, selectors, workload_id

OTHER = TrustDomain("other.org")
ORDERS = workload_id("/orders")
PAYMENT = workload_id("/payment")
FRONT = workload_id("/front")
EDGE = workload_id("/edge")
PROXY = Process(7, 8, 9)
MINE = selectors("unix:uid:1")

__all__ = [
    "EDGE", "FRONT", "MINE", "NOW", "ORDERS", "OTHER", "PAYMENT", "PROXY",
    "Caller", "Callers", "Ground", "Means", "Obstacle", "Outcome", "Reason", "SpiffeId",
    "asked", "asker", "callee", "found", "verdict",
]  # fmt: skip


def asker(*ids: str, federates: tuple[str, ...] = (), **bundles: Bundle) -> Asker:
    known = {each.trust_domain: each for each in (Bundle(TRUST_DOMAIN), *bundles.values())}
    entries = Entitlements(entitlement(each, federates=federates) for each in ids)
    holdings = Holdings(TRUST_DOMAIN, entries, bundles=known, synced=True)
    return Asker.of(holdings, MINE)


def callee(**more: Any) -> Callee:
    found = asker("payment", **more).callee("")
    assert isinstance(found, Callee)
    return found


def asked(principal: SpiffeId | str = "", **more: Any) -> Asked:
    return Asked("GET", "/", str(principal), **more)


def found(given: Asked, **more: Any) -> Caller:
    """Who calls payment, where front and edge are named proxies, and payment's Envoy itself."""
    return Callers([FRONT, EDGE], [PAYMENT]).find(given, callee(**more), NOW)


def verdict(
    reason: Reason = Ground.NO_RULE,
    caller: SpiffeId | None = ORDERS,
    outcome: Outcome = Outcome.DENIED,
    **more: Any,
) -> Verdict:
    values: dict[str, Any] = {"callee": PAYMENT, "method": "GET", "path": "/a", **more}
    means = Means.MTLS if caller else Means.NONE
    return Verdict(outcome, reason, caller=Caller(caller, means), **values)
