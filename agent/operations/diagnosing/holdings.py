"""What is held for workloads: bundles, and the SVIDs of their identities."""

from collections.abc import Iterator, Mapping
from typing import Final

from agent.cache.view import Holdings
from agent.cache.x509_svids import Demand, HeldSvid
from agent.membership.standing import OwnSvid
from finial.explain.checkup import OVERDUE, failed, many, ok, some, span, warning
from finial.explain.diagnosis import Diagnosis
from finial.spiffe import certificate as x509_certificate
from finial.spiffe.bundle import Bundle, X509Authority

BUNDLE: Final = "trust bundle"
IDENTITIES: Final = "identities"
_REMEDY: Final = "on the server: finial doctor; the agent's log says what it was told"
_LATE: Final = 1 / 8
"""A server lets a successor sign when a sixth of an authority's life is left."""


def judge_bundle(bundle: Bundle | None, own: OwnSvid | None, now: float) -> Diagnosis:
    """Whether our own bundle is there, lasts, and knows who signed our own SVID."""
    if bundle is None or not bundle.x509_authorities:
        return failed(BUNDLE, "there is none", "see why the server has not been reached")
    good = [each for each in bundle.x509_authorities if each.not_after > now]
    if not good:
        last = max(each.not_after for each in bundle.x509_authorities)
        return failed(
            BUNDLE,
            f"all its authorities have expired, the last {span(now - last)} ago",
            "start the server; a node that cannot prove itself again needs a new join token",
        )
    if own is not None and _root(own) not in {"", *(each.subject_key_id for each in good)}:
        return failed(
            BUNDLE,
            "it does not hold the authority that signed the agent's own SVID",
            "see that server_address leads to servers of one trust domain and one database",
        )
    return _judge_last(good, tainted=sum(each.tainted for each in good), now=now)


def _judge_last(good: list[X509Authority], *, tainted: int, now: float) -> Diagnosis:
    last = max(good, key=lambda each: each.not_after)
    life = last.not_after - x509_certificate.not_before(last.certificate)
    left = last.not_after - now
    count = many(len(good), "authority", "authorities")
    detail = f"{count}, the last good for {span(left)}"
    if left < life * _LATE:
        return warning(
            BUNDLE,
            f"{detail}; no successor has been published",
            "see that the server runs; finial authority list",
        )
    return ok(BUNDLE, f"{detail}; {tainted} tainted" if tainted else detail)


def judge_federated(held: Holdings, now: float) -> Iterator[Diagnosis]:
    """Name bundles of other trust domains that are wanted and missing, or have expired."""
    wanted = {domain for each in held.entitlements for domain in each.federates_with}
    for domain in sorted(wanted - {held.trust_domain}):
        bundle = held.bundles.get(domain)
        check = f"bundle of {domain.name}"
        if bundle is None:
            yield failed(
                check,
                "entries federate with it, and there is none",
                "store that trust domain's bundle on the server",
            )
        elif bundle.x509_authorities and all(
            each.not_after <= now for each in bundle.x509_authorities
        ):
            yield failed(
                check, "all its authorities have expired", "store its present bundle on the server"
            )


def judge_identities(
    held: Holdings, demand: Demand, trouble: str, unsigned: Mapping[str, str], now: float
) -> Diagnosis:
    """Whether every identity that is wanted has an SVID, and each was renewed in time.

    `trouble` is why signing fails at present, `unsigned` why an entry was refused an SVID, by its
    ID; what neither explains, the agent's log may.
    """
    if not held.synced:
        return failed(IDENTITIES, "the entries of this node are not known yet")
    waiting = {
        each.id: each.spiffe_id.path
        for each in held.entitlements
        if each.id in demand.subscribed and each.is_servable and not _is_good(held, each.id, now)
    }
    if waiting:
        names = [_named(path, unsigned.get(entry_id, "")) for entry_id, path in waiting.items()]
        return failed(
            IDENTITIES,
            f"workloads wait for {many(len(waiting), 'SVID')}: {some(names)}{_because(trouble)}",
            _REMEDY,
        )
    refused = {each.id: each.spiffe_id.path for each in held.entitlements if each.id in unsigned}
    if refused:
        names = [_named(path, unsigned[entry_id]) for entry_id, path in refused.items()]
        return warning(
            IDENTITIES,
            f"the server signs nothing for {many(len(refused), 'entry', 'entries')}: {some(names)}",
            _REMEDY,
        )
    late = sorted(
        (each for each in held.svids.values() if now - each.renew_at > OVERDUE),
        key=lambda each: each.expires_at,
    )
    if late:
        return _judge_late(late, trouble, now)
    return ok(
        IDENTITIES,
        f"{many(len(held.entitlements), 'entry', 'entries')} of this node, "
        f"{many(len(held.svids), 'SVID')} at hand",
    )


def _judge_late(late: list[HeldSvid], trouble: str, now: float) -> Diagnosis:
    left = span(late[0].expires_at - now)
    names = [each.spiffe_id.path for each in late]
    return warning(
        IDENTITIES,
        f"{many(len(late), 'SVID')} not renewed in time, the first of which ends in {left}: "
        f"{some(names)}{_because(trouble)}",
        _REMEDY,
    )


def _named(path: str, why: str) -> str:
    return f"{path} ({why})" if why else path


def _because(trouble: str) -> str:
    return f"; signing fails: {trouble}" if trouble else ""


def _is_good(held: Holdings, entry_id: str, now: float) -> bool:
    svid = held.svids.get(entry_id)
    return svid is not None and svid.expires_at > now


def _root(own: OwnSvid) -> str:
    # Between us and the bundle there may be intermediates, which the chain carries.
    return x509_certificate.authority_key_id(x509_certificate.read(own.chain[-1]))
