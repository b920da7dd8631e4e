"""The promises of an attestor as tests: subclass, say how to make one, and run pytest.

class TestMine(WorkloadAttestorSuite):
    def attestor(self):
        return my_plugin.create(my_plugin.Settings())
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from attestors.contract import (
    Address,
    Attested,
    Challenge,
    Consult,
    Failed,
    Finding,
    NodeEvidence,
    NodeVerifier,
    NotApplicable,
    Process,
    SelectorGrammar,
    SpendToken,
    Verdict,
    WorkloadAttestor,
)
from finial.explain.diagnosis import Diagnosis, Health
from finial.runtime.clock import SystemClock
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from finial.spiffe.well_known import agent_id

MAX_QUESTIONS = 8
NONSENSE = (
    b"",
    b"\x00",
    b"\xff\xfe\xfd",
    b"null",
    b"[]",
    b"{}",
    b'{"certificates":null}',
    b"[" * 5_000,
    b'{"a":' * 5_000,
    b"9" * 5_000,
    b'"' + b"x" * 100_000 + b'"',
)


class NodeAttestorSuite:
    """What both halves of a node attestor do together.

    `now` is the time that the verifier is told, `address` where the agent's connection comes from.
    `accepts_any_text` is for payloads that are a secret: nonsense leads to a question, which the
    server answers with a refusal. `grammar` is the verifier's `GRAMMAR`.
    """

    grammar: SelectorGrammar | None = None
    now: float = 0.0
    address: Address | None = None
    accepts_any_text = False

    def evidence(self) -> NodeEvidence:
        """Make an agent's half that can prove itself to `verifier`."""
        raise NotImplementedError

    def verifier(self) -> NodeVerifier:
        """Make a server's half."""
        raise NotImplementedError

    def test_an_honest_node_gets_a_verdict_of_this_attestor(self) -> None:
        """The agent's path stands below the attestor's name, and so do its selectors."""
        evidence, verifier = self.evidence(), self.verifier()
        verdict = self._held(evidence, verifier)
        assert evidence.name == verifier.name
        agent = agent_id(TrustDomain("example.org"), verdict.agent_path)
        assert agent.is_under(f"/spire/agent/{verifier.name}")
        assert agent.path != f"/spire/agent/{verifier.name}"
        _judge_selectors(verdict.selectors, verifier.name)

    def test_node_selectors_keep_to_the_grammar(self) -> None:
        """The grammar describes itself, and every selector given matches one of its forms."""
        if self.grammar is None:
            return
        _judge_grammar(self.grammar, self.verifier().name)
        for selector in self._held(self.evidence(), self.verifier()).selectors:
            assert any(re.fullmatch(form.pattern, selector.value) for form in self.grammar.forms)

    def test_a_node_that_may_come_again_stays_the_same(self) -> None:
        """Where the same evidence may be given twice, it names the same agent."""
        evidence, verifier = self.evidence(), self.verifier()
        first = self._held(evidence, verifier)
        if first.can_reattest:
            assert self._held(evidence, verifier) == first

    def test_nonsense_as_payload_is_refused(self) -> None:
        """Whatever a stranger sends first gets a refusal, never anything else."""
        for payload in NONSENSE:
            asking = self.verifier().verify(payload, self.now, self.address)
            outcome = _outcome(partial(next, asking))
            if self.accepts_any_text:
                assert outcome is Kind.INVALID or isinstance(outcome, SpendToken)
            else:
                assert outcome in (Kind.INVALID, Kind.DENIED)

    def test_nonsense_as_response_is_refused(self) -> None:
        """Whatever a stranger answers to a challenge gets a refusal, never anything else."""
        for response in NONSENSE:
            payload = asyncio.run(self.evidence().payload())
            asking = self.verifier().verify(payload, self.now, self.address)
            if not isinstance(next(asking), Challenge):
                return
            assert _outcome(partial(asking.send, response)) in (Kind.INVALID, Kind.DENIED)

    def test_a_response_is_good_for_one_conversation(self) -> None:
        """A response that was overheard proves nothing in another conversation."""
        evidence, verifier = self.evidence(), self.verifier()
        payload = asyncio.run(evidence.payload())
        first = verifier.verify(payload, self.now, self.address)
        question = next(first)
        if not isinstance(question, Challenge):
            return
        response = asyncio.run(evidence.respond(question.document))
        second = verifier.verify(payload, self.now, self.address)
        next(second)
        assert _outcome(partial(second.send, response)) in (Kind.INVALID, Kind.DENIED)

    def test_nonsense_as_challenge_is_refused(self) -> None:
        """Whatever an impostor of a server asks gets a refusal, never a signature."""
        evidence = self.evidence()
        asyncio.run(evidence.payload())
        for challenge in NONSENSE:
            answer = partial(_answered, evidence, challenge)
            assert _outcome(answer) is Kind.INVALID

    def _held(self, evidence: NodeEvidence, verifier: NodeVerifier) -> Verdict:
        asking = verifier.verify(asyncio.run(evidence.payload()), self.now, self.address)
        answer = b""
        try:
            question = next(asking)
            for _ in range(MAX_QUESTIONS):
                match question:
                    case Challenge(document):
                        answer = asyncio.run(evidence.respond(document))
                    case SpendToken():
                        answer = b""
                    case Consult(ask=ask):
                        answer = asyncio.run(_awaited(ask()))
                question = asking.send(answer)
        except StopIteration as done:
            verdict: Verdict = done.value
            return verdict
        raise AssertionError(f"there is no verdict after {MAX_QUESTIONS} questions")


class WorkloadAttestorSuite:
    """What every workload attestor does; `process` is one that it knows something about.

    `patience` is how many seconds beyond its deadline an attestor may take.
    """

    patience: float = 5.0

    def attestor(self) -> WorkloadAttestor:
        """Make an attestor."""
        raise NotImplementedError

    def process(self) -> Process:
        """Return a living process; by default the one that runs the tests."""
        pid = os.getpid()
        return Process(pid, os.geteuid(), os.getegid(), f"/proc/{pid}")

    def test_the_grammar_describes_itself(self) -> None:
        """Every form has a name of its own, an example it matches, and says what it trusts."""
        attestor = self.attestor()
        assert attestor.grammar.forms
        _judge_grammar(attestor.grammar, attestor.name)

    def test_it_can_say_how_it_is(self) -> None:
        """Asked for a diagnosis it gives one, with a remedy for whatever is not well."""

        async def diagnosed() -> Sequence[Diagnosis]:
            async with self._in_time(10):
                return await self.attestor().diagnose(SystemClock().monotonic() + 10)

        found = asyncio.run(diagnosed())
        assert found
        assert all(each.remedy for each in found if each.health is not Health.OK)

    def test_selectors_keep_to_the_grammar(self) -> None:
        """Every selector given is of the attestor's type and matches one of its forms."""
        attestor = self.attestor()
        finding = self._attested(attestor, self.process())
        assert isinstance(finding, Attested)
        _judge_selectors(finding.selectors, attestor.name)
        for selector in finding.selectors:
            assert any(re.fullmatch(f.pattern, selector.value) for f in attestor.grammar.forms)

    def test_the_same_process_gets_the_same_selectors(self) -> None:
        """Asking again about a process that did not change gives the same."""
        attestor = self.attestor()
        process = self.process()

        async def twice() -> tuple[Finding, Finding]:
            deadline = SystemClock().monotonic() + 10
            async with self._in_time(10):
                first = await attestor.attest(process, deadline)
                return first, await attestor.attest(process, deadline)

        first, second = asyncio.run(twice())
        assert first == second

    def test_a_process_that_has_ended_gets_nothing(self) -> None:
        """A process that is gone is a finding, not an exception, and has no selectors."""
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        gone = Process(ended.pid, 0, 0, f"/proc/{ended.pid}")
        finding = self._attested(self.attestor(), gone)
        assert isinstance(finding, Failed | NotApplicable)

    def test_a_deadline_that_has_passed_is_kept(self) -> None:
        """Without any time left the attestor answers all the same, and raises nothing."""
        finding = self._attested(self.attestor(), self.process(), seconds=-1.0)
        assert isinstance(finding, Attested | Failed | NotApplicable)

    def _attested(
        self, attestor: WorkloadAttestor, process: Process, seconds: float = 10.0
    ) -> Finding:
        async def whole() -> Finding:
            async with self._in_time(seconds):
                return await attestor.attest(process, SystemClock().monotonic() + seconds)

        return asyncio.run(whole())

    @asynccontextmanager
    async def _in_time(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(max(seconds, 0.0) + self.patience):
                yield
        except TimeoutError:
            raise AssertionError("the attestor does not keep its deadline") from None


def _judge_grammar(grammar: SelectorGrammar, name: str) -> None:
    assert grammar.type == name
    assert len({form.name for form in grammar.forms}) == len(grammar.forms)
    for form in grammar.forms:
        example = Selector.parse(form.example)
        assert example.type == name
        assert re.fullmatch(form.pattern, example.value)
        assert not re.fullmatch(form.pattern, example.value + "\n")
        assert form.trusts
        assert ":" not in form.name
        assert example.value.startswith(f"{form.name}:")


def _judge_selectors(selectors: Iterable[Selector], name: str) -> None:
    found = list(selectors)
    assert len(set(found)) == len(found)
    for selector in found:
        assert selector.type == name
        assert Selector.parse(str(selector)) == selector


def _outcome(act: Callable[[], object]) -> object:
    try:
        return act()
    except Refusal as refusal:
        return refusal.kind


async def _awaited(answer: Awaitable[bytes]) -> bytes:
    return await answer


def _answered(evidence: NodeEvidence, challenge: bytes) -> bytes:
    return asyncio.run(evidence.respond(challenge))
