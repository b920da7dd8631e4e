"""Which proxy asks."""

import asyncio
import socket

import pytest

from agent.cache.view import Holdings
from agent.operations.attest_caller import CallerAttestation
from agent.operations.attest_proxy import Proxies
from finial.runtime.clock import SystemClock
from finial.runtime.peer import KernelPeer
from finial.runtime.watch import Watch
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.entitlements import TRUST_DOMAIN


def test_entries_have_to_be_known_first() -> None:
    """Before the first comparison nobody can be told from a stranger: Unavailable."""
    clock = SystemClock()
    attestation = CallerAttestation([], clock, 5.0)
    proxies = Proxies(attestation, Watch(Holdings(TRUST_DOMAIN)), clock)
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs, pytest.raises(Refusal) as caught:
        asyncio.run(proxies.attest(KernelPeer.of(ours)))
    assert caught.value.kind is Kind.UNAVAILABLE
    assert "has not yet learned its entries" in caught.value.detail
