"""Makes the world that the operations work with, and brings it to the present moment."""

import socket

from attestors.contract import VerifierContext
from ca.assemble.plugins import load_key_manager, load_verifiers, load_vocabulary
from ca.datastore.datastore import Datastore
from ca.events.journal import Journal
from ca.issuance.profile import Profiles, distinguished_name
from ca.operations.following.follower import Follower
from ca.operations.following.known import Known
from ca.operations.following.questions import Questions
from ca.operations.following.streams import Streams
from ca.operations.hook_client import HookClient
from ca.operations.publish_blocks import publish_blocks
from ca.operations.rotate_authority import load_authorities, rotate_authorities
from ca.operations.world import World
from ca.settings import Server, Settings
from finial.runtime.clock import Clock
from finial.runtime.entropy import Entropy

_UNSPECIFIED = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound


async def make_world(
    settings: Settings,
    server_id: str,
    *,
    clock: Clock,
    entropy: Entropy,
    datastore: Datastore,
    journal: Journal,
) -> World:
    """Make a world that knows everything in the datastore and can sign.

    Raises: Refusal; SettingsError.
    """
    server = settings.server
    known = Known(server.domain)
    streams = Streams(server.streams_per_agent)
    follower = Follower(datastore, known, streams, clock)
    datastore.on_commit(follower.committed)
    context = VerifierContext(server.domain, lambda: known.bundle.value, entropy)
    world = World(
        settings=settings,
        server_id=server_id,
        clock=clock,
        entropy=entropy,
        keys=load_key_manager(settings, server.private_dir),
        datastore=datastore,
        journal=journal,
        known=known,
        streams=streams,
        follower=follower,
        questions=Questions(streams, clock, entropy),
        verifiers=load_verifiers(settings, context),
        vocabulary=load_vocabulary(settings),
        profiles=profiles_of(server),
        addresses=lambda: advertised(server, known.port),
        hook=HookClient(settings.status_hook) if settings.status_hook else None,
    )
    if world.hook is not None:
        world.hook.prepare()
    await follower.load()
    await load_authorities(world)
    await rotate_authorities(world)
    await publish_blocks(world)
    return world


def profiles_of(server: Server) -> Profiles:
    """Say what this server's certificates and tokens are like.

    Raises: Refusal of kind INVALID.
    """
    subject = server.ca_subject
    return Profiles(
        trust_domain=server.domain,
        ca_ttl=max(int(server.ca_ttl), 1),
        x509_svid_ttl=max(int(server.default_x509_svid_ttl), 1),
        jwt_svid_ttl=max(int(server.default_jwt_svid_ttl), 1),
        agent_ttl=int(server.agent_ttl or 0),
        ca_subject=distinguished_name(subject.country, subject.organization, subject.common_name),
        jwt_issuer=server.jwt_issuer,
    )


def advertised(server: Server, port: int) -> tuple[str, ...]:
    """Say where agents find this server, as `host:port`."""
    if server.advertised_addresses:
        return server.advertised_addresses
    host = server.bind_address
    if host in _UNSPECIFIED:
        host = socket.getfqdn()
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}",)
