"""Bundles: our own, to which authorities may be appended, and those of other trust domains."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from ca.datastore.bundles import DeleteMode
from ca.events.happened import Actor, BundleChanged, BundleDeleted
from ca.operations.world import World
from ca.registry.page import Page, cut
from finial.spiffe.bundle import Bundle, JwtAuthority, X509Authority
from finial.spiffe.bundle_document import render_spiffe_bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.x509_svid import judge_authority


async def append_bundle(
    world: World,
    actor: Actor,
    x509_authorities: Sequence[X509Authority],
    jwt_authorities: Sequence[JwtAuthority],
) -> Bundle:
    """Add authorities to our own bundle; those that are there already change nothing.

    Raises: Refusal of kind INVALID, UNAVAILABLE.
    """
    if not x509_authorities and not jwt_authorities:
        raise Refusal(Kind.INVALID, "no authorities to append")
    _judge(x509_authorities, jwt_authorities)
    # What has no form in a SPIFFE bundle would make ours unwritable for everybody.
    render_spiffe_bundle(Bundle(world.trust_domain, tuple(x509_authorities)))

    def append(bundle: Bundle) -> Bundle:
        known = {each.der for each in bundle.x509_authorities}
        key_ids = {each.key_id for each in bundle.jwt_authorities}
        new = tuple(each for each in x509_authorities if each.der not in known)
        keys = tuple(each for each in jwt_authorities if each.key_id not in key_ids)
        return replace(
            bundle,
            x509_authorities=bundle.x509_authorities + new,
            jwt_authorities=bundle.jwt_authorities + keys,
        )

    bundle = await world.datastore.update_bundle(append)
    await world.follower.caught_up()
    world.record(BundleChanged(actor, bundle.trust_domain, bundle.sequence))
    return bundle


def find_federated_bundle(world: World, trust_domain: TrustDomain) -> Bundle:
    """Return another trust domain's bundle.

    Raises: Refusal of kind INVALID for our own trust domain, NOT_FOUND.
    """
    if trust_domain == world.trust_domain:
        raise Refusal(
            Kind.INVALID,
            "getting a federated bundle for the server's own trust domain is not allowed",
            field="trust_domain",
            value=trust_domain.name,
        )
    bundle = world.known.federated.value.get(trust_domain)
    if bundle is None:
        raise bundle_not_found(trust_domain)
    return bundle


def list_federated_bundles(world: World, size: int, token: str) -> Page[Bundle]:
    """Return a page of the other trust domains' bundles, by name; a size of 0 means all.

    Raises: Refusal of kind INVALID.
    """
    bundles = sorted(world.known.federated.value.items())
    after = [bundle for trust_domain, bundle in bundles if trust_domain.name > token]
    items, more = cut(after, size)
    return Page(items, items[-1].trust_domain.name if more else "")


def count_bundles(world: World) -> int:
    """Count all bundles, our own too."""
    return len(world.known.federated.value) + 1


async def create_federated_bundle(world: World, actor: Actor, bundle: Bundle) -> Bundle:
    """Store the bundle of a trust domain that has none.

    Raises: Refusal of kind INVALID, EXISTS.
    """
    return await _stored(world, actor, bundle, world.datastore.create_federated_bundle)


async def set_federated_bundle(world: World, actor: Actor, bundle: Bundle) -> Bundle:
    """Store the bundle of a trust domain, whether it has one or not.

    Raises: Refusal of kind INVALID.
    """
    return await _stored(world, actor, bundle, world.datastore.set_federated_bundle)


async def update_federated_bundle(
    world: World, actor: Actor, trust_domain: TrustDomain, change: Callable[[Bundle], Bundle]
) -> Bundle:
    """Change the bundle of a trust domain that has one.

    Raises: Refusal of kind INVALID, NOT_FOUND.
    """
    try:
        bundle = await world.datastore.update_federated_bundle(trust_domain, change)
    except Refusal as refusal:
        raise _named(refusal, trust_domain) from None
    await world.follower.caught_up()
    world.record(BundleChanged(actor, bundle.trust_domain, bundle.sequence))
    return bundle


async def delete_federated_bundle(
    world: World, actor: Actor, trust_domain: TrustDomain, mode: DeleteMode
) -> None:
    """Forget another trust domain's bundle; `mode` says what its entries go through.

    Raises: Refusal of kind INVALID, NOT_FOUND, PRECONDITION.
    """
    try:
        await world.datastore.delete_federated_bundle(trust_domain, mode)
    except Refusal as refusal:
        raise _named(refusal, trust_domain) from None
    await world.follower.caught_up()
    world.record(BundleDeleted(actor, trust_domain))


def bundle_not_found(trust_domain: TrustDomain) -> Refusal:
    """Say that there is no such bundle, in the words that SPIRE's clients know."""
    return Refusal(
        Kind.NOT_FOUND, "bundle not found", field="trust_domain", value=trust_domain.name
    )


async def _stored(
    world: World, actor: Actor, bundle: Bundle, store: Callable[[Bundle], Awaitable[Bundle]]
) -> Bundle:
    _judge(bundle.x509_authorities, bundle.jwt_authorities)
    stored = await store(bundle)
    await world.follower.caught_up()
    world.record(BundleChanged(actor, stored.trust_domain, stored.sequence))
    return stored


def _named(refusal: Refusal, trust_domain: TrustDomain) -> Refusal:
    return bundle_not_found(trust_domain) if refusal.kind is Kind.NOT_FOUND else refusal


def _judge(x509: Sequence[X509Authority], jwt: Sequence[JwtAuthority]) -> None:
    for authority in x509:
        judge_authority(authority.certificate)
    for key in jwt:
        if not key.key_id:
            raise Refusal(Kind.INVALID, "missing key ID", field="jwt_authorities")
        _ = key.key
