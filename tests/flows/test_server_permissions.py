"""Who may call what: every RPC, for every kind of caller."""

from pathlib import Path

import pytest

from ca.registry.permission import PERMISSIONS, Ground
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.spiffe.x509_svid import X509Svid
from finial.wire.pb import agent_pb2
from tests.doubles.ca import SmallCa
from tests.doubles.house import METHODS, Client, House, entry_for, register
from tests.flows.scenes import play, refused

OPS = SpiffeId.parse("spiffe://example.org/ops")
STREAMS = {"Agent.AttestAgent", "Entry.SyncAuthorizedEntries", "Follow.Follow"}
SERVED = {
    name: PERMISSIONS[found.path]
    for name, found in METHODS.items()
    if not name.endswith(("WITSVID", "PublishJWTAuthority", "PublishWITAuthority"))
    and name != "SVID.NewDownstreamX509CA"
}


def svid_of(path: str) -> X509Svid:
    """An SVID that somebody shows; the TLS layer would have verified it."""
    return X509Svid.parse(SmallCa().workload(path).chain)


async def is_denied(client: Client, name: str) -> bool:
    """Whether the guard says no; what the handler says afterwards does not matter here."""
    try:
        if name in STREAMS:
            async with client.stream(name) as stream:
                await stream.end()
                await stream.receive()
        else:
            await client.call(name)
    except Refusal as refusal:
        if refusal.kind is Kind.DENIED:
            said = f"authorization denied for method {METHODS[name].path}"
            return refusal.detail == said
    return False


async def denied(client: Client) -> set[str]:
    return {name for name in SERVED if await is_denied(client, name)}


def closed_to(ground: Ground) -> set[str]:
    return {name for name, allowed in SERVED.items() if not allowed & (ground | Ground.ANYONE)}


@pytest.mark.parametrize("kind", ["anyone", "local", "agent", "entry admin", "named admin", "web"])
def test_every_rpc_asks_who_calls(tmp_path: Path, kind: str) -> None:
    """The guard denies exactly what the table does not allow (RP-01 to RP-12, TR-06)."""

    async def act(built: House) -> None:
        local = await built.local()
        agent = await built.join()
        await register(local, entry_for(agent.id, "/ops2", admin=True))
        client, ground = {
            "anyone": (await built.anyone(), Ground(0)),
            "local": (local, Ground.LOCAL),
            "agent": (agent.client, Ground.AGENT),
            "entry admin": (await built.show(svid_of("/ops2")), Ground.ADMIN),
            "named admin": (await built.show(svid_of("/ops")), Ground.ADMIN),
            "web": (await built.show(svid_of("/web")), Ground(0)),
        }[kind]
        assert await denied(client) == closed_to(ground)

    play(tmp_path, act, admin_ids=[str(OPS)])


def test_every_refusal_is_audited(tmp_path: Path) -> None:
    """The audit says who called what and why it was refused."""

    async def act(built: House) -> None:
        client = await built.show(svid_of("/web"))
        await refused(client.call("Agent.ListAgents"))
        record = built.audit.records[-1]
        assert record["kind"] == "call_refused"
        assert record["method"] == "/spire.api.server.agent.v1.Agent/ListAgents"
        assert record["actor"] == {
            "kind": "nobody",
            "id": "spiffe://example.org/web",
            "address": "192.0.2.9",
        }

    play(tmp_path, act)


def test_an_agent_that_never_attested_is_told_so(tmp_path: Path) -> None:
    """An agent's certificate alone is not enough: the reason is AGENT_NOT_ATTESTED (BR-04)."""

    async def act(built: House) -> None:
        client = await built.show(svid_of("/spire/agent/x509pop/stranger"))
        told = await refused(client.call("Agent.PostStatus"))
        assert (told.kind, told.reason) == (Kind.DENIED, Reason.AGENT_NOT_ATTESTED)

    play(tmp_path, act)


def test_an_administrator_loses_its_rights_with_its_entry(tmp_path: Path) -> None:
    """Rights come from the entry as it is now, not as it was when the connection was made."""

    async def act(built: House) -> None:
        local = await built.local()
        agent = await built.join()
        [ops] = await register(local, entry_for(agent.id, "/ops2", admin=True))
        admin = await built.show(svid_of("/ops2"))
        await admin.call("Agent.ListAgents")
        await built.world.datastore.delete_entries([ops.id])
        await built.world.follower.caught_up()
        assert (await refused(admin.call("Agent.ListAgents"))).kind is Kind.DENIED

    play(tmp_path, act)


def test_an_expired_administrator_is_not_one(tmp_path: Path) -> None:
    """A connection that outlived its SVID is worth nothing."""

    async def act(built: House) -> None:
        admin = await built.show(svid_of("/ops"))
        await admin.call("Agent.ListAgents", agent_pb2.ListAgentsRequest())
        built.clock.jump(3601)
        assert (await refused(admin.call("Agent.ListAgents"))).kind is Kind.UNAUTHENTICATED

    play(tmp_path, act, admin_ids=[str(OPS)])
