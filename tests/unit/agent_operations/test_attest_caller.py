"""Finding out who calls, with attestors that answer, fail, are late or deny."""

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from agent.operations.attest_caller import CallerAttestation, Findings, Unserved
from attestors.contract import Attested, Failed, NotApplicable
from finial.runtime.clock import SystemClock
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.entitlements import selectors
from tests.doubles.saying import Saying


def found(*texts: str) -> Attested:
    return Attested(tuple(sorted(selectors(*texts))))


def attest(
    *attestors: Saying, timeout: float = 5.0, peer: Any = None, required: Sequence[str] = ()
) -> Findings:
    async def whole() -> Findings:
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        caller = peer or KernelPeer.of(ours)
        attestation = CallerAttestation(attestors, SystemClock(), timeout, required)
        try:
            return await attestation.attest(caller)
        finally:
            for each in (ours, theirs):
                each.close()

    return asyncio.run(whole())


def refused(*attestors: Saying, peer: Any = None, required: Sequence[str] = ()) -> Refusal:
    with pytest.raises(Refusal) as caught:
        attest(*attestors, peer=peer, required=required)
    return caught.value


def test_the_process_is_the_one_the_kernel_named() -> None:
    """WEP-13: attestors are asked about the pid, uid and gid of the connection, no others."""
    unix = Saying("unix", found("unix:uid:1"))
    attest(unix)
    [process] = unix.asked
    assert (process.pid, process.uid, process.gid) == (os.getpid(), os.getuid(), os.getgid())
    assert process.proc == f"/proc/{os.getpid()}"


@pytest.mark.parametrize("others", [(), (Saying("docker", found("docker:label:a:b")),)])
def test_selectors_of_all_attestors_are_joined(others: Sequence[Saying]) -> None:
    """Each attestor adds its selectors."""
    findings = attest(Saying("unix", found("unix:uid:1", "unix:gid:2")), *others)
    expected = {"unix:uid:1", "unix:gid:2"} | ({"docker:label:a:b"} if others else set())
    assert {str(each) for each in findings.selectors} == expected


def test_one_that_does_not_apply_adds_nothing() -> None:
    """A process outside containers has no container selectors, and that is no failure."""
    findings = attest(
        Saying("unix", found("unix:uid:1")), Saying("docker", NotApplicable("no container"))
    )
    assert findings == Findings(selectors("unix:uid:1"))
    assert attest(Saying("docker", NotApplicable("no container"))) == Findings(frozenset())


def test_one_that_fails_costs_its_own_selectors_alone() -> None:
    """With a failed attestor the others still count, and who gets nothing is told why."""
    broken = Saying("docker", Failed(Kind.UNAVAILABLE, "no daemon"))
    findings = attest(Saying("unix", found("unix:uid:1")), broken)
    assert findings.selectors == selectors("unix:uid:1")
    refusal = findings.no_identity()
    assert refusal.kind is Kind.UNAVAILABLE
    assert refusal.detail.endswith("docker failed")
    assert "no daemon" not in str(refusal)
    assert [each.detail for each in findings.said] == ["", "no daemon"]
    assert attest(broken).failures == ("docker",)
    assert Findings(frozenset()).no_identity().kind is Kind.DENIED


def test_one_that_is_late_costs_its_own_selectors_alone() -> None:
    """An attestor that hangs holds up nobody beyond the timeout."""
    findings = attest(Saying("unix", found("unix:uid:1")), Saying("k8s", None), timeout=-0.45)
    assert findings.selectors == selectors("unix:uid:1")
    assert findings.failures == ("k8s",)
    assert findings.said[1].detail == "it took too long"
    assert attest(Saying("k8s", None), timeout=-0.45).said == findings.said[1:]


def test_one_that_is_required_has_to_answer() -> None:
    """Where an attestor is required, its failure lets the caller wait; not applying is an answer."""
    broken = Saying("docker", Failed(Kind.UNAVAILABLE, "no daemon"))
    unix = Saying("unix", found("unix:uid:1"))
    told = refused(unix, broken, required=["docker"])
    assert told.kind is Kind.UNAVAILABLE
    assert isinstance(told, Unserved)
    assert [each.name for each in told.said] == ["unix", "docker"]
    assert attest(unix, broken, required=["unix"]).failures == ("docker",)
    elsewhere = Saying("docker", NotApplicable("no container"))
    assert attest(unix, elsewhere, required=["docker"]).failures == ()


def test_one_that_denies_ends_the_matter() -> None:
    """A process that is not who connected (a set-uid exec) gets nothing from any attestor."""
    denying = Saying("unix", Failed(Kind.DENIED, "another uid"))
    assert refused(denying).kind is Kind.DENIED
    assert refused(Saying("docker", found("docker:label:a:b")), denying).kind is Kind.DENIED


def test_what_was_read_of_a_process_that_ended_is_worth_nothing() -> None:
    """WEP-13: a PID that may belong to another process by now inherits no identity."""
    child = os.fork()
    if not child:
        os._exit(0)
    peer = KernelPeer(child, 0, 0, os.pidfd_open(child))
    os.waitpid(child, 0)
    try:
        for others in ((), (Saying("docker", found("docker:label:a:b")),)):
            refusal = refused(Saying("unix", found("unix:uid:0")), *others, peer=peer)
            assert refusal.kind is Kind.UNAVAILABLE
    finally:
        peer.close()


def test_equal_callers_share_one_set() -> None:
    """The set made of one and the same tuple is one and the same, however many callers come."""

    async def whole() -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        peer = KernelPeer.of(ours)
        saying = Saying("unix", found("unix:uid:1"))
        attestation = CallerAttestation([saying], SystemClock(), 5.0)
        first = await attestation.attest(peer)
        assert await attestation.attest(peer) is first
        saying._finding = found("unix:uid:1")
        again = await attestation.attest(peer)
        assert again == first
        for remarks in (("one",), ("two",)):
            saying._finding = replace(found("unix:uid:1"), remarks=remarks)
            remarked = await attestation.attest(peer)
            assert remarked.said[0].remarks == remarks
            assert await attestation.attest(peer) is remarked
        peer.close()
        ours.close()
        theirs.close()

    asyncio.run(whole())
