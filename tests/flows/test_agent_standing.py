"""The agent and its server: renewing, losing each other, and finding back."""

from pathlib import Path

import pytest

from agent.attestation.situation import SYNCHRONISATION
from agent.membership.standing import Phase
from finial.spiffe.refusal import Kind, Reason, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.running_agent import RunningAgent, Scene, never, soon, until, until_in_time
from tests.flows.agent_scenes import ME, play, refused


def serials(agent: RunningAgent) -> int:
    svid = agent.parts.member.standing.value.svid
    assert svid is not None
    return svid.serial


def test_an_agent_renews_at_half_life_and_presents_the_new_svid() -> None:
    """BR-02, BR-03: RenewAgent with a new key; later calls come with the new SVID."""

    async def act(played: Scene) -> None:
        async with played.agent(**played.join_file()) as agent:
            before = serials(agent)
            await played.pass_time(1801)
            await until_in_time(played, lambda: serials(agent) != before)
            assert played.server.asked.count("RenewAgent") == 1
            await until_in_time(played, lambda: played.server.presented[-1] == serials(agent))
            assert agent.records.named("node_renewed")

    play(act)


def test_a_reattestable_agent_attests_anew() -> None:
    """BR-02: at half-life an agent that can prove its node again does so instead of renewing."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            before = serials(agent)
            await played.pass_time(1801)
            await until_in_time(played, lambda: serials(agent) != before)
            assert "RenewAgent" not in played.server.asked
            assert played.server.asked.count("AttestAgent") == 2

    play(act)


@pytest.mark.parametrize("reason", [Reason.AGENT_EXPIRED, Reason.AGENT_NOT_ATTESTED])
def test_a_denied_agent_finds_back_where_it_can(reason: Reason) -> None:
    """BR-05: evicted, a reattestable agent attests anew and goes on serving."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            played.server.deny = Refusal(Kind.DENIED, "who are you?", reason=reason)
            played.server.tell_entries()
            await until(lambda: bool(agent.records.named("standing_lost")))
            played.server.deny = None
            await until(lambda: agent.parts.member.standing.value.phase is Phase.ATTESTED)
            assert played.server.asked.count("AttestAgent") == 2
            await never(stream)

    play(act)


def test_a_denied_agent_that_cannot_find_back_stops() -> None:
    """BR-05: evicted, an agent of a spent token deletes its SVID and says what to run."""

    async def act(played: Scene) -> None:
        async with played.agent(**played.join_file()) as agent:
            played.server.deny = Refusal(
                Kind.DENIED, "not attested", reason=Reason.AGENT_NOT_ATTESTED
            )
            played.server.tell_entries()
            refusal = await refused(agent.standing)
        assert "finial token create" in refusal.remedy
        storage = played.folder / "d/private/agent"
        assert not (storage / "agent.json").exists()
        assert not list((storage / "keys").iterdir())

    play(act)


def test_a_ban_by_the_stream_stops_the_agent_at_once() -> None:
    """BR-06: the topic `standing` says banned, and the agent stops without asking again."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            played.server.tell("standing", 1, b"banned")
            refusal = await refused(agent.standing)
        assert "banned" in refusal.detail
        assert "finial agent evict x509pop/node" in refusal.remedy

    play(act)


def test_a_restart_goes_on_as_the_same_agent() -> None:
    """An agent that is restarted attests no second time, and has its entries at once."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            before = serials(agent)
            await until((played.folder / "d/private/agent/topic-entries.json").exists)
        async with played.agent() as agent:
            assert serials(agent) == before
        assert played.server.asked.count("AttestAgent") == 1

    play(act)


def test_a_restart_without_a_server_serves_what_is_known() -> None:
    """With its SVID still good, an agent serves bundles and refuses strangers without a server."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent():
            await until((played.folder / "d/private/agent/topic-entries.json").exists)
        await played.server.stop()
        async with played.agent(synced=False) as agent:
            bundles = (await agent.fetch("FetchX509Bundles")).bundles
            assert set(bundles) == {"spiffe://example.org"}

    play(act)


def test_svids_are_served_while_the_server_is_away_and_renewed_when_it_is_back() -> None:
    """SVIDs are kept and served until they expire; the server's return brings new ones."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            first = await agent.fetch()
            await played.server.stop()
            await played.pass_time(1900)
            assert await agent.fetch() == first
            await played.server.start()
            received = agent.records
            await until_in_time(played, lambda: len(received.named("svid_received")) == 2, step=30)
            assert await agent.fetch() != first

    play(act)


def test_an_expired_svid_is_served_to_nobody() -> None:
    """An SVID that expired while the server was away is not handed out any more."""

    async def act(played: Scene) -> None:
        played.server.svid_ttl = 600
        played.server.entry("a", "/web", ME)
        async with played.agent(hold=5) as agent:
            await agent.fetch()
            await played.server.stop()
            await played.pass_time(601)
            async with agent.open() as stream:
                await never(stream)
                await played.pass_time(6)
                assert (await refused(stream.receive())).kind is Kind.UNAVAILABLE

    play(act)


def test_after_a_long_absence_a_reattestable_agent_recovers_by_itself(tmp_path: Path) -> None:
    """Even the CA is another when the server returns: the bundle file leads the agent back."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            await played.server.stop()
            await played.pass_time(7200)
            played.server.rotate_ca(SmallCa(now=played.server.ca.now))
            played.server.roots = played.server.roots[1:]
            (played.folder / "bundle.pem").write_bytes(played.server.ca.pem)
            await played.server.start()
            standing = agent.parts.member.standing
            await until_in_time(played, lambda: standing.value.phase is Phase.ATTESTED, step=30)
            await agent.fetch()

    play(act)


def test_a_server_that_lost_its_keys_is_followed_by_its_bundle_file() -> None:
    """No authority that the agent knew vouches for the next: the file does, if it is a newer one."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        file = played.folder / "bundle.pem"
        removed = SmallCa(now=played.server.ca.now - 3600)
        async with played.agent() as agent:
            bundles = agent.parts.tasks.holdings
            before = bundles.value.own_bundle
            await played.server.stop()
            # OpenSSL judges by the machine's clock, so that it cannot begin in the future.
            played.server.rotate_ca(SmallCa(now=played.server.ca.now + 5))
            file.write_bytes(removed.pem)
            await played.server.start()
            failing = agent.parts.tasks.link.troubles
            await until_in_time(played, lambda: SYNCHRONISATION in failing, step=1)
            assert bundles.value.own_bundle == before
            file.write_bytes(removed.pem + played.server.ca.pem)
            await until_in_time(played, agent.parts.is_connected, step=30)
            ders = {each.der for each in bundles.value.own_bundle.x509_authorities}
            assert played.server.ca.der in ders
            assert removed.der not in ders
            [record] = agent.records.named("authorities_trusted")
            assert record["authorities"]
        assert played.server.asked.count("AttestAgent") == 1

    play(act)


def test_after_a_long_absence_an_agent_of_a_token_says_what_to_run() -> None:
    """An agent that cannot attest again ends when its SVID has expired."""

    async def act(played: Scene) -> None:
        async with played.agent(**played.join_file()) as agent:
            await played.server.stop()
            await until_in_time(played, agent.standing.done, step=600)
            refusal = await refused(agent.standing)
        assert "finial token create" in refusal.remedy

    play(act)


def test_the_next_address_has_its_turn() -> None:
    """Of several addresses those that do not answer are passed over."""

    async def act(played: Scene) -> None:
        dead = "127.0.0.1:1"
        addresses = [dead, played.server.address]
        async with played.agent(server_address=addresses, synced=False) as agent:
            await until_in_time(played, lambda: agent.parts.tasks.link.last_sync > 0)
            assert (await agent.status()).server_address == played.server.address

    play(act)


def test_a_server_without_our_stream_is_polled() -> None:
    """A SPIRE server has no stream of changes: entries are then asked for every five seconds."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            played.server.entry("a", "/web", ME)
            assert (await refused(agent.fetch())).kind is Kind.DENIED
            await played.pass_time(5)
            await until(lambda: bool(agent.parts.tasks.holdings.value.svids))
            await agent.fetch()

    play(act, has_stream=False)


def test_a_safety_poll_finds_what_was_not_told() -> None:
    """Beside the stream there is a slow poll, so that nothing stays missed for ever."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            await played.pass_time(6)  # the first wait may have begun before the stream was open
            await until(lambda: not agent.parts.tasks.link.bundles_stale)
            await played.pass_time(0)
            played.server.entry("a", "/web", ME)
            await played.pass_time(290)
            assert not len(agent.parts.tasks.holdings.value.entitlements)
            await played.pass_time(15)
            await until(lambda: len(agent.parts.tasks.holdings.value.entitlements) == 1)

    play(act)


def test_many_entries_are_learned_by_their_revisions() -> None:
    """Over one page, entries are listed by revision and only those we lack are fetched."""

    async def act(played: Scene) -> None:
        for number in range(7):
            played.server.entry(f"e{number}", f"/w{number}", ME)
        async with played.agent() as agent:
            assert len(agent.parts.tasks.holdings.value.entitlements) == 7
            played.server.asked.clear()
            played.server.entry("e3", "/w3", ME, hint="new", created_at=4)
            del played.server.entries["e0"]
            played.server.tell_entries()
            await until(lambda: len(agent.parts.tasks.holdings.value.entitlements) == 6)
            known = agent.parts.tasks.holdings.value.entitlements.get("e3")
            assert known is not None
            assert known.hint == "new"
            assert "entries 1" in played.server.asked

    play(act, page=3)


def test_a_batch_that_fails_is_halved() -> None:
    """BS-04: a batch that fails as a whole is asked for again in halves."""

    async def act(played: Scene) -> None:
        played.server.refuse_signing = [Refusal(Kind.INTERNAL, "too much")]
        for number in range(400):
            played.server.entry(f"e{number}", f"/w{number}", ME)
        async with played.agent() as agent:
            svids = agent.parts.tasks.holdings
            await until_in_time(played, lambda: len(svids.value.svids) == 400)
        assert played.server.batches[:2] == [400, 250]

    play(act)


def test_the_server_hears_what_took_effect() -> None:
    """A version that was applied is acknowledged, and a restart says which one is held."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent():
            played.server.tell_entries()
            await until(lambda: any(up.HasField("applied") for up in played.server.ups))
            [applied] = [up.applied for up in played.server.ups if up.HasField("applied")]
            assert (applied.topic, applied.version) == ("entries", 1)
        async with played.agent():
            assert dict(played.server.hellos[-1].versions) == {"entries": 1}

    play(act)


def test_an_unknown_question_is_declined() -> None:
    """Kinds of question are open: an agent that does not know one says so."""

    async def act(played: Scene) -> None:
        async with played.agent():
            played.server.ask("what is new")
            played.server.tell("a topic of tomorrow", 1)
            await until(lambda: any(up.HasField("answer") for up in played.server.ups))
            [answer] = [up.answer for up in played.server.ups if up.HasField("answer")]
            assert (answer.id, answer.status) == ("q1", 12)

    play(act)


def test_a_tainted_authority_renews_everything_at_once() -> None:
    """BR-01, BC-04: when its authority is tainted, our own SVID and the workloads' are replaced."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            before, first = serials(agent), await agent.fetch()
            played.server.rotate_ca(SmallCa(now=played.server.ca.now))
            old, new = played.server.roots
            played.server.roots = (type(old)(old.der, tainted=True), new)
            played.server.tell_bundle()
            await until(lambda: serials(agent) != before)
            await until(lambda: len(agent.records.named("svid_received")) == 2)
            assert await agent.fetch() != first

    play(act)


def test_operators_see_how_the_agent_stands() -> None:
    """The operators' socket tells root and the agent's uid who the agent is and what it holds."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            await soon(stream.receive())
            status = await agent.status()
        assert (status.entries, status.x509_svids, status.streams) == (1, 1, 1)
        assert status.synced
        assert status.connected
        assert status.svid_serial

    play(act)
