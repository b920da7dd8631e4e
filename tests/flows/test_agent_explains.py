"""Why a process got what it got: asked of a real agent over its sockets."""

import asyncio
import os
import subprocess
import sys

import pytest

from finial.explain.explanation import Outcome, decode_explanation
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.method import method
from finial.wire.pb import operator_pb2, workload_pb2
from tests.doubles.other_user import ask_before_and_after_becoming, ask_operator_as
from tests.doubles.running_agent import (
    PATIENCE,
    Scene,
    soon,
    until,
    until_in_time,
)
from tests.flows.agent_explanations import (
    INTROSPECTION,
    about_me,
    asked,
    explained,
    id_of,
    simulated,
)
from tests.flows.agent_scenes import ME, play, refused


def test_a_refusal_has_an_id_under_which_it_is_explained() -> None:
    """The workload is told a short reason and an id; the operator sees what came nearest."""

    async def act(played: Scene) -> None:
        played.server.entry("web", "/web", ME, "unix:gid:4242")
        async with played.agent() as agent:
            refusal = await refused(agent.fetch())
            assert refusal.kind is Kind.DENIED
            assert refusal.detail.startswith("no identity issued: ")
            assert "web" not in refusal.detail
            found = await explained(agent, refusal=id_of(refusal))
            assert (found.outcome, found.count) == (Outcome.REFUSED, 1)
            assert found.process.pid == os.getpid()
            assert found.process.exe == os.readlink("/proc/self/exe")
            [near] = found.nearest
            [missing] = near.missing
            assert missing.wanted == "unix:gid:4242"
            assert missing.closest == f"unix:gid:{os.getegid()}"
            assert "unix:gid is" in found.causes[0]
            assert found.fixes[0].what.startswith("start the process so that it has unix:gid")
            assert found.fixes[1].command.startswith("finial entry update web --selector unix:gid:")
            again = await refused(agent.fetch())
            assert id_of(again) == id_of(refusal)
            assert (await explained(agent, pid=os.getpid())).count == 2

    play(act)


def test_a_process_is_explained_by_its_number() -> None:
    """One that was served is told so; one that has not asked, what it would get."""

    async def act(played: Scene) -> None:
        played.server.entry("web", "/web", ME)
        async with played.agent() as agent:
            before = await explained(agent, pid=os.getpid())
            assert before.outcome is Outcome.WOULD_BE_SERVED
            assert "has asked this agent for nothing yet" in before.causes[0]
            await agent.fetch()
            after = await explained(agent, pid=os.getpid())
            assert (after.outcome, after.method) == (Outcome.SERVED, "FetchX509SVID")
            assert [each.spiffe_id for each in after.matches] == ["spiffe://example.org/web"]
            assert (after.causes, after.fixes) == ((), ())

    play(act)


def test_a_process_that_has_ended_is_remembered() -> None:
    """What it was refused is told, and that it is gone; a number that nobody has is NOT_FOUND."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            socket = str(played.folder / "d/workload/workload.sock")
            script = (
                "import asyncio, tests.doubles.other_user as other;"
                f"asyncio.run(other._first({socket!r}, 'FetchX509SVID', {{}}))"
            )
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", script, stderr=subprocess.PIPE
            )
            _, said = await child.communicate()
            assert b"--refusal " in said
            found = await explained(agent, pid=child.pid)
            assert found.causes[0] == f"process {child.pid} has ended since"
            assert "--for-pid" not in "".join(each.command for each in found.fixes)
            nobody = await refused(explained(agent, pid=child.pid + 1_000_000))
            assert nobody.kind is Kind.NOT_FOUND
            for wrong in (0, -1):
                assert (await refused(simulated(agent, wrong))).kind is Kind.INVALID

    play(act)


def test_what_would_be_is_told_and_nothing_is_given() -> None:
    """Simulating issues nothing, records nothing, and asks the server for nothing."""

    async def act(played: Scene) -> None:
        played.server.entry("web", "/web", ME)
        async with played.agent(x509_svid_cache_max_size=0) as agent:
            found = await simulated(agent, os.getpid())
            assert found.outcome is Outcome.WOULD_BE_SERVED
            assert "as soon as a workload asks" in found.matches[0].state
            assert "BatchNewX509SVID" not in played.server.asked
            assert not agent.records.named("workload_served")
            assert not (
                await asked(agent, "ListRefusals", operator_pb2.ListRefusalsRequest())
            ).documents

    play(act)


def test_an_entry_that_came_after_the_refusal_is_named() -> None:
    """The explanation of an old refusal says that the entry is there by now."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            told = await refused(agent.fetch())
            played.server.entry("web", "/web", ME)
            played.server.tell_entries()
            await until(lambda: "web" in agent.parts.tasks.holdings.value.entitlements)
            found = await explained(agent, refusal=id_of(told))
            assert "matches by now" in found.causes[0]
            assert "ask again" in found.fixes[0].what

    play(act)


def test_an_entry_that_was_taken_away_is_missed() -> None:
    """Whoever was served before is told so when it is refused."""

    async def act(played: Scene) -> None:
        played.server.entry("web", "/web", ME)
        async with played.agent() as agent:
            async with agent.open() as stream:
                await soon(stream.receive())
                played.server.entries.clear()
                played.server.entry("web", "/web", "unix:uid:4242")
                played.server.tell_entries()
                told = await refused(stream.receive())
            found = await explained(agent, refusal=id_of(told))
            assert found.causes[0].startswith("it was served as spiffe://example.org/web until")

    play(act)


def test_an_agent_that_has_not_synced_says_why() -> None:
    """Before the entries are known the refusal names the server and what failed."""

    async def act(played: Scene) -> None:
        played.server.refuse_attestation = Refusal(Kind.UNAVAILABLE, "the datastore is away")
        async with played.agent(synced=False) as agent:
            await until(lambda: "attest" in agent.parts.tasks.link.troubles)
            told = await refused(agent.fetch())
            assert told.kind is Kind.UNAVAILABLE
            found = await explained(agent, refusal=id_of(told))
            assert any("the datastore is away" in each for each in found.causes)
            assert played.server.address in "".join(found.causes)
            assert found.fixes[0].command == "finial doctor"
            own = await about_me(agent)
            assert own.outcome is Outcome.WOULD_BE_REFUSED
            assert own.refusal == id_of(told)

    play(act)


def test_an_svid_that_is_not_signed_is_explained() -> None:
    """A stream that waits in vain is refused with an id, and the server's words are shown."""

    async def act(played: Scene) -> None:
        played.server.entry("web", "/web", ME)
        played.server.refuse_entries["web"] = Refusal(Kind.NOT_FOUND, "entry not found")
        async with played.agent() as agent:
            async with agent.open() as stream:
                waiting = asyncio.ensure_future(refused(stream.receive()))
                memory = agent.parts.listeners.gate._records._memory
                await until(lambda: memory.waiting_since(os.getpid()) is not None)
                now = await explained(agent, pid=os.getpid())
                assert now.outcome is Outcome.WOULD_BE_REFUSED
                assert now.causes[0].startswith(f"process {os.getpid()} has waited for its answer")
                assert "entry not found" in now.causes[1]
                await until_in_time(played, waiting.done, 5.0)
                told = await waiting
            found = await explained(agent, refusal=id_of(told))
            assert found.causes[0] == "the SVID could not be signed in time"
            assert "the server signs no X.509-SVID for it: entry not found" in found.causes[1]
            assert found.matches[0].state.endswith("entry not found")

    play(act)


def test_an_identity_that_it_has_not_is_told_from_none() -> None:
    """Asking for another SPIFFE ID than one's own is named as the cause."""

    async def act(played: Scene) -> None:
        played.server.entry("web", "/web", ME)
        async with played.agent() as agent:
            request = workload_pb2.JWTSVIDRequest(
                audience=["x"], spiffe_id="spiffe://example.org/admin"
            )
            told = await refused(agent.call("FetchJWTSVID", request))
            assert told.kind is Kind.DENIED
            found = await explained(agent, refusal=id_of(told))
            assert found.causes[0] == (
                "it asked for spiffe://example.org/admin, and its entries grant "
                "spiffe://example.org/web"
            )

    play(act)


def test_a_server_that_gives_no_token_is_named() -> None:
    """The refusal of a token carries what was found out, so that it can be explained."""

    async def act(played: Scene) -> None:
        played.server.entry("web", "/web", ME)
        played.server.refuse_jwt = Refusal(Kind.UNAVAILABLE, "busy")
        async with played.agent() as agent:
            told = await refused(
                agent.call("FetchJWTSVID", workload_pb2.JWTSVIDRequest(audience=["x"]))
            )
            found = await explained(agent, refusal=id_of(told))
            assert found.causes == ("the server gave no JWT-SVID: busy",)
            assert found.attestors[0].selectors

    play(act)


def test_a_wrong_request_says_all_itself() -> None:
    """Without the security header there is no id and no place in the list."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            found = method(INTROSPECTION, "ExplainMe")
            for told in (
                await refused(agent.call("FetchJWTSVID", workload_pb2.JWTSVIDRequest(), ())),
                await refused(agent.workload.unary(found, found.request(), timeout=PATIENCE)),
            ):
                assert told.detail.startswith("security header missing")
                assert "--refusal" not in told.detail
            assert not (
                await asked(agent, "ListRefusals", operator_pb2.ListRefusalsRequest())
            ).documents
            last = await explained(agent, pid=os.getpid())
            assert last.causes[0] == "security header missing from request"

    play(act)


def test_the_newest_refusals_are_listed() -> None:
    """The newest first, at most so many, each with its reason."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            for name in ("FetchX509SVID", "FetchJWTBundles"):
                await refused(agent.fetch(name))
            everything = await asked(agent, "ListRefusals", operator_pb2.ListRefusalsRequest())
            listed = [decode_explanation(each) for each in everything.documents]
            assert [each.method for each in listed] == ["FetchJWTBundles", "FetchX509SVID"]
            one = await asked(agent, "ListRefusals", operator_pb2.ListRefusalsRequest(limit=1))
            assert len(one.documents) == 1
            audited = agent.records.named("call_refused")
            assert {each["explained_as"] for each in audited} == {each.refusal for each in listed}

    play(act)


def test_a_workload_asks_about_itself() -> None:
    """It sees its selectors, its identities and its last refusal, and no entry of others."""

    async def act(played: Scene) -> None:
        played.server.entry("other", "/secret-other", "unix:uid:4242")
        async with played.agent() as agent:
            told = await refused(agent.fetch())
            own = await about_me(agent)
            assert own.outcome is Outcome.WOULD_BE_REFUSED
            assert own.refusal == id_of(told)
            assert ME in own.attestors[0].selectors
            assert b"secret-other" not in own.encoded()

    play(act)


@pytest.mark.root
def test_others_learn_nothing_of_the_node() -> None:
    """Explaining, simulating and listing are for root and the agent's own user."""

    async def act(played: Scene) -> None:
        async with played.agent():
            os.chmod(played.folder, 0o755)
            socket = str(played.folder / "d/agent.sock")
            for name, request in (
                ("Explain", operator_pb2.ExplainRequest(pid=os.getpid())),
                ("Simulate", operator_pb2.SimulateRequest(pid=os.getpid())),
                ("ListRefusals", operator_pb2.ListRefusalsRequest()),
            ):
                answer = await asyncio.to_thread(ask_operator_as, 65534, socket, name, request)
                assert answer is Kind.DENIED

    play(act)


@pytest.mark.root
def test_a_change_of_user_is_named_as_the_cause() -> None:
    """Who connected as one user and runs as another is denied, and told so when explained."""

    async def act(played: Scene) -> None:
        played.server.entry("web", "/web", ME)
        async with played.agent() as agent:
            socket = str(played.folder / "d/workload/workload.sock")
            told = await asyncio.to_thread(ask_before_and_after_becoming, 65534, socket)
            assert told[0] == "served"
            assert "unix denies it" in told[1]
            found = await explained(agent, refusal=told[1].rpartition("--refusal ")[2])
            assert "and now has uid 65534" in found.causes[1]
            assert "connect anew" in found.fixes[0].what

    play(act)


def test_an_agent_that_is_cut_off_says_since_when() -> None:
    """An entry that may have been registered since is not known, and the server is named."""

    async def act(played: Scene) -> None:
        played.server.entry("web", "/web", "unix:uid:4242")
        async with played.agent() as agent:
            await played.server.stop()
            link = agent.parts.tasks.link
            await until_in_time(played, lambda: "the synchronisation" in link.troubles)
            told = await refused(agent.fetch())
            found = await explained(agent, refusal=id_of(told))
            assert any("has had no word of its server" in each for each in found.causes)
            assert found.fixes[0].command == "finial doctor"
            await played.server.start()
            await until_in_time(played, lambda: not link.troubles)
            well = await explained(agent, refusal=id_of(told))
            assert not any("no word" in each for each in well.causes)

    play(act)


def test_a_subject_has_to_be_named() -> None:
    """Neither a process nor a refusal is INVALID, an unknown refusal NOT_FOUND."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            assert (await refused(explained(agent))).kind is Kind.INVALID
            unknown = await refused(explained(agent, refusal="nobody"))
            assert unknown.kind is Kind.NOT_FOUND

    play(act)
