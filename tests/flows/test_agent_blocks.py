"""What is blocked at an agent: taken away at once, refused, explained, and given back."""

import asyncio

from finial.blocks import Block, BlocksDocument, SubjectKind
from finial.spiffe.refusal import Kind
from tests.doubles.blocked import LEAKED, blocking
from tests.doubles.running_agent import Scene, never, soon, until
from tests.flows.agent_blocks import LIST, NO_WORD, WEB, applied, tell, told
from tests.flows.agent_explanations import about_me, explained, id_of
from tests.flows.agent_scenes import ME, play, refused
from tests.flows.agent_secrets import asking
from tests.flows.agent_secrets import fetch as secrets
from tests.flows.test_agent_jwt import claims, fetch, validate


def test_the_last_identity_blocked_ends_open_streams() -> None:
    """WAPI-28, WAPI-56: within one push every stream of a blocked identity ends in a denial."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with (
            played.agent() as agent,
            agent.open() as svids,
            agent.open("FetchX509Bundles") as bundles,
            agent.open("FetchJWTBundles") as jwt_bundles,
        ):
            streams = (svids, bundles, jwt_bundles)
            for stream in streams:
                await soon(stream.receive())
            tell(played, blocking(spiffe_ids=WEB))
            for stream in streams:
                refusal = await refused(stream.receive())
                assert (refusal.kind, refusal.detail.startswith(NO_WORD)) == (Kind.DENIED, True)
                assert LEAKED.reason not in refusal.detail
            await until(lambda: applied(played) == [1])
            assert agent.parts.tasks.holdings.value.svids == {}

    play(act)


def test_one_of_two_identities_leaves_an_open_stream() -> None:
    """WAPI-56: what is not blocked goes on as it was; an entry, too, may be blocked."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.entry("b", "/db", ME)
        async with played.agent() as agent, agent.open() as stream:
            before = await soon(stream.receive())
            tell(played, blocking(entries="a"))
            after = await soon(stream.receive())
            assert list(after.svids) == [before.svids[1]]
            await never(stream)

    play(act)


def test_blocked_tokens_are_neither_given_nor_accepted() -> None:
    """A kept token is dropped, a new one refused, and ValidateJWTSVID accepts none (WAPI-41)."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.entry("b", "/db", ME)
        async with played.agent() as agent:
            [web, db] = (await fetch(agent, "x")).svids
            assert (await validate(agent, "x", web.svid)).spiffe_id == WEB
            await told(played, agent, blocking(spiffe_ids=WEB))
            [only] = (await fetch(agent, "x")).svids
            assert only == db
            refusal = await refused(fetch(agent, "x", spiffe_id=WEB))
            assert (refusal.kind, refusal.detail.startswith(NO_WORD)) == (Kind.DENIED, True)
            judged = await refused(validate(agent, "x", web.svid))
            assert (judged.kind, "blocked" in judged.detail) == (Kind.INVALID, True)
            assert LEAKED.reason not in judged.detail
            await validate(agent, "x", db.svid)
            [refusals] = [r for r in agent.records.written if r.get("method") == "ValidateJWTSVID"]
            assert refusals["block"] == "b1"

    play(act)


def test_one_token_is_blocked_by_its_id() -> None:
    """The token with that `jti` is accepted no more and asked for anew; its identity is untouched."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            [first] = (await fetch(agent, "x")).svids
            jti = claims(first.svid)["jti"]
            await told(played, agent, blocking(jtis=jti))
            assert (await refused(validate(agent, "x", first.svid))).kind is Kind.INVALID
            [second] = (await fetch(agent, "x")).svids
            assert second.svid != first.svid
            await validate(agent, "x", second.svid)

    play(act)


def test_a_token_was_signed_while_its_identity_was_blocked() -> None:
    """What the server signed meanwhile is not given, and not kept for the day it is unblocked."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.hold_jwt = asyncio.Event()
        async with played.agent() as agent:
            waiting = asyncio.ensure_future(fetch(agent, "x"))
            await until(lambda: "NewJWTSVID" in played.server.asked)
            await told(played, agent, blocking(spiffe_ids=WEB))
            played.server.hold_jwt.set()
            assert (await refused(waiting)).kind is Kind.DENIED
            await told(played, agent, BlocksDocument(version=2))
            assert len(agent.parts.tasks.enforcement._tokens) == 0

    play(act)


def test_a_blocked_serial_number_is_replaced() -> None:
    """An X.509-SVID that is blocked itself is replaced at once by one with another key."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            first = await soon(stream.receive())
            [held] = agent.parts.tasks.holdings.value.svids.values()
            tell(played, blocking(serials=str(held.serial)))
            second = await soon(stream.receive())
            assert second.svids[0].x509_svid_key != first.svids[0].x509_svid_key

    play(act)


def test_the_revocation_lists_go_to_whoever_gets_the_bundle() -> None:
    """WAPI-19: field `crl` of X509SVIDResponse and of X509BundlesResponse holds the lists in DER."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent, agent.open() as stream:
            assert list((await soon(stream.receive())).crl) == []
            tell(played, blocking(spiffe_ids="spiffe://example.org/other", crls=(LIST,)))
            assert list((await soon(stream.receive())).crl) == [LIST.der]
            assert list((await agent.fetch("FetchX509Bundles")).crl) == [LIST.der]

    play(act)


def test_nothing_is_signed_for_what_is_blocked() -> None:
    """No SVID is asked for ahead, renewed or asked again while its entry is blocked."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            await told(played, agent, blocking(spiffe_ids=WEB))
            await until(lambda: not agent.parts.tasks.holdings.value.svids)
            batches = list(played.server.batches)
            await played.pass_time(1900)
            await played.pass_time(60)
            assert played.server.batches == batches

    play(act)


def test_unblocked_it_comes_back() -> None:
    """A document that blocks it no more gives the identity back, with a new key."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            first = await agent.fetch()
            await told(played, agent, blocking(spiffe_ids=WEB))
            assert (await refused(agent.fetch())).kind is Kind.DENIED
            await told(played, agent, BlocksDocument(version=2))
            second = await agent.fetch()
            assert second.svids[0].spiffe_id == WEB
            assert second.svids[0].x509_svid_key != first.svids[0].x509_svid_key

    play(act)


def test_the_operator_sees_the_block_and_the_workload_does_not() -> None:
    """Explained with since when, why and what to run; the process learns that it is blocked."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        async with played.agent() as agent:
            since = int(played.clock.now()) - 7200
            block = Block("b1", SubjectKind.SPIFFE_ID, WEB, "key leaked", since)
            await told(played, agent, blocking(block=block, spiffe_ids=WEB))
            refusal = await refused(agent.fetch())
            found = await explained(agent, refusal=id_of(refusal))
            assert found.causes == (
                f"the entry a for {WEB} matches, but it has been blocked for 2 h: key leaked "
                "(block b1)",
            )
            assert [each.command for each in found.fixes] == ["finial unblock b1"]
            mine = await about_me(agent)
            assert b"leaked" not in mine.encoded()
            assert mine.reason.startswith(NO_WORD)
            status = await agent.status()
            assert (status.blocks_version, status.blocks, status.blocked_entries) == (1, 1, 1)
            await told(played, agent, BlocksDocument(version=2))
            found = await explained(agent, refusal=id_of(refusal))
            assert found.causes == (
                "its identity was blocked when it was refused, and is blocked no more",
            )
            assert [each.what for each in found.fixes] == [
                "let it ask again: it would be served now"
            ]

    play(act)


def test_secret_discovery_takes_back_what_it_can() -> None:
    """The incremental form says what is removed; the other sends none; both tell why not."""

    async def act(played: Scene) -> None:
        played.server.entry("a", "/web", ME)
        played.server.entry("b", "/db", ME)
        async with (
            played.agent() as agent,
            asking(agent, "DeltaSecrets") as delta,
            asking(agent, "StreamSecrets") as whole,
        ):
            for client in (delta, whole):
                await client.ask(WEB, "spiffe://example.org/db")
                assert set(await client.take()) == {WEB, "spiffe://example.org/db"}
            tell(played, blocking(spiffe_ids=WEB))
            await delta.take()
            assert delta.removed == [WEB]
            await whole.nothing()
            # The other identity does not take the place of the default one.
            for name in (WEB, "default"):
                refusal = await refused(secrets(agent, name))
                assert (refusal.kind, refusal.detail.startswith(NO_WORD)) == (Kind.DENIED, True)
            assert len((await secrets(agent, "spiffe://example.org/db")).resources) == 1

    play(act)
