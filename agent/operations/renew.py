"""Renewing our own SVID, for an agent that cannot prove its node again (SPIRE BR-02, BR-03)."""

import logging

from agent.events.happened import NodeRenewed
from agent.events.journal import Journal
from agent.operations.member import Member
from agent.operations.signing_request import signing_request
from agent.upstream.attesting import renew
from agent.upstream.servers import Servers

log = logging.getLogger("finial.agent.renew")


async def renew_own_svid(member: Member, servers: Servers, journal: Journal) -> None:
    """Replace our SVID by one for a new key; until the server has seen it both are good.

    Raises: Refusal.
    """
    key_id, key = await member.next_key()
    svid = await renew(servers, signing_request(key))
    journal.record(NodeRenewed(svid.id, servers.address, svid.serial, svid.not_after))
    own = await member.adopt(svid, key_id, key, reattestable=False)
    log.info("renewed %s until %d", own.id, own.expires_at)
