"""The server, its clock, and our own standing with it."""

from typing import Final

from agent.attestation.situation import STREAM, SYNCHRONISATION
from agent.membership.standing import Phase, Standing, remedy
from agent.operations.link import Link
from finial.explain.checkup import failed, judge_clock, judge_renewal, ok, span, warning
from finial.explain.diagnosis import Diagnosis
from finial.spiffe import certificate as x509_certificate
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind

SERVER: Final = "server"
CLOCK: Final = "clock"
OWN_SVID: Final = "agent SVID"
_MISSED: Final = 3
_SLACK: Final = 30.0
_SIGNS_OF_TIME: Final = ("not yet valid", "has expired")
"""How OpenSSL says that a certificate's time is not now."""


def judge_server(
    link: Link, address: str, poll: float, now: float, *, synced: bool, locked_out: bool = False
) -> Diagnosis:
    """Whether the server is followed, or at least asked; `poll` is how often, in seconds."""
    since = f"compared {span(now - link.last_sync)} ago" if link.last_sync else "not compared yet"
    if link.connected:
        detail = f"{address} tells what changes; entries and bundles were {since}"
        trouble = link.troubles.get(SYNCHRONISATION)
        if trouble is not None:
            failing = f"comparing them fails for {span(now - trouble.since)}: {trouble.detail}"
            return failed(SERVER, f"{detail}; {failing}", "on the server: finial doctor")
        silence = link.server_clock.silence(now)
        if silence:
            return warning(
                SERVER,
                f"{address} has said nothing for {span(silence)}, not even the time; entries and "
                f"bundles were {since}",
                "see that the server is not overloaded or stopped, and that this node reaches it",
            )
        return ok(SERVER, detail) if link.last_sync else warning(SERVER, detail)
    if link.fault is not None and link.fault.kind is Kind.UNIMPLEMENTED:
        detail = f"{address} has no stream of changes and is polled; entries were {since}"
        if now - link.last_sync < poll * _MISSED + _SLACK:
            return ok(SERVER, detail)
        return failed(SERVER, detail, "see the agent's log for why it is not answered")
    trouble = link.troubles.get(STREAM)
    why = f": {link.fault.detail}" if link.fault is not None else ""
    away = f"is away for {span(now - trouble.since)}" if trouble is not None else "is away"
    held = "entries were never known, so that no workload is answered"
    if locked_out:
        held = "this agent is blocked, so that nobody is served"
    elif synced:
        held = f"what is held is served; entries and bundles were {since}"
    return failed(
        SERVER,
        f"{address} {away}{why}; {held}",
        "on the server: finial unblock, if the reason for it is over"
        if locked_out
        else f"see that the server runs and that this node reaches {address}",
    )


def judge_server_clock(link: Link) -> Diagnosis:
    """By how much the clocks differ, where the server tells its time."""
    offset = link.server_clock.offset
    if offset is not None:
        return judge_clock(CLOCK, offset)
    if link.connected:
        return ok(CLOCK, "the server has not told its time yet")
    if link.fault is not None and any(sign in link.fault.detail for sign in _SIGNS_OF_TIME):
        return failed(
            CLOCK,
            f"one of the clocks may be wrong, by how the server's certificate looks from here: "
            f"{link.fault.detail}",
            "compare both: date -u; timedatectl set-ntp true",
        )
    return warning(CLOCK, "not compared, because there is no stream from the server")


def judge_own_svid(standing: Standing, agent: SpiffeId | None, now: float) -> Diagnosis:
    """Whether we are who we were, and for how long."""
    svid = standing.svid
    if standing.phase is not Phase.ATTESTED or svid is None:
        detail = f"this agent {standing.phase.words}"
        if standing.phase is Phase.UNATTESTED:
            return failed(OWN_SVID, f"{detail}: no server has accepted it yet", "see its log")
        if standing.phase is Phase.MUST_REATTEST:
            when = "it does so by itself when its server answers: see its log for what keeps it"
            return failed(OWN_SVID, detail, when)
        return failed(OWN_SVID, detail, remedy(standing.phase, agent))
    begin = x509_certificate.not_before(x509_certificate.read(svid.chain[0]))
    if begin > now:
        detail = f"it is not valid before {span(begin - now)} from now"
        return failed(OWN_SVID, detail, "set this node's clock")
    again = (
        "" if svid.reattestable else "; a node that joined by a token cannot come back by itself"
    )
    return judge_renewal(
        OWN_SVID,
        f"the SVID of {svid.id}",
        now=now,
        due=svid.renew_at,
        end=svid.expires_at,
        remedy=f"see why the server does not renew it: its state is below, its log has more{again}",
    )
