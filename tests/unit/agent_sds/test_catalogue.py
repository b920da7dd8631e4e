"""Which secret a name means for one caller."""

from collections.abc import Callable

import pytest

from agent.api.sds.catalogue import EVERYTHING, Catalogue, Interest, Missing, Offer
from agent.api.sds.secret import Form, Secret, Trust
from agent.cache.entitlement import Entitlement, Entitlements
from agent.cache.view import Holdings
from agent.settings import Sds
from finial.spiffe.bundle import Bundle, X509Authority
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind
from tests.doubles.blocked import blocks
from tests.doubles.clock import NOW
from tests.doubles.entitlements import TRUST_DOMAIN, entitlement, held_svid, selectors

CALLER = selectors("unix:uid:1")
OWN = Bundle(TRUST_DOMAIN, (X509Authority(b"own root"),))
FRIEND = Bundle(TrustDomain("friend.test"), (X509Authority(b"friend's root"),))
EMPTY = Bundle(TrustDomain("empty.test"))
A = "spiffe://example.org/a"


def make(
    _key: tuple[object, ...], _made_of: tuple[object, ...], make: Callable[[], Secret]
) -> Secret:
    return make()


def offered(
    *entitlements: Entitlement,
    names: str = "",
    unsigned: str = "",
    bundles: tuple[Bundle, ...] = (OWN, FRIEND, EMPTY),
    form: Form = Form.SPIFFE,
    everything: bool = False,
    **blocked: str,
) -> Offer:
    """What a caller is offered; `unsigned` are ids of entries without an SVID."""
    signed = [each for each in entitlements if each.id not in unsigned]
    holdings = Holdings(
        TRUST_DOMAIN,
        Entitlements(entitlements),
        {each.id: held_svid(each.id, path=each.spiffe_id.path) for each in signed},
        {each.trust_domain: each for each in bundles},
        synced=True,
        blocks=blocks(**blocked),
    )
    view = holdings.view(CALLER, NOW)
    own = () if view.own_bundle is None else (view.own_bundle,)
    catalogue = Catalogue(
        view,
        map(Trust, (*own, *view.federated)),
        TRUST_DOMAIN,
        names=Sds(),
        form=form,
        keep=make,
    )
    return catalogue.offer(Interest(frozenset(names.split()), everything))


def test_every_name_is_answered_under_itself() -> None:
    """An alias and the ID of one thing are two secrets with one version."""
    found = offered(entitlement("a"), names=f"default {A} ROOTCA spiffe://example.org ALL")
    assert {name: each.name for name, each in found.secrets.items()} == {
        name: name for name in ("default", A, "ROOTCA", "spiffe://example.org", "ALL")
    }
    assert found.secrets["default"].version == found.secrets[A].version
    assert found.secrets["default"].spiffe_id == entitlement("a").spiffe_id
    assert found.secrets["ROOTCA"].spiffe_id is None
    assert found.missing == {}


def test_the_default_identity_is_the_oldest_entrys() -> None:
    """WAPI-53: as in the Workload API; while it is being signed nothing takes its place."""
    old, young = entitlement("z", created_at=1), entitlement("a", created_at=2)
    assert offered(old, young, names="default").secrets["default"].spiffe_id == old.spiffe_id
    found = offered(old, young, names="default", unsigned="z")
    assert found.secrets == {}
    assert found.missing["default"].kind is Kind.UNAVAILABLE
    assert found.entry_ids == found.pending == ("z",)


def test_of_two_entries_with_one_id_any_that_is_signed_serves() -> None:
    """The name is the identity's, not an entry's."""
    one, two = entitlement("a", created_at=1), entitlement("b", path="/a", created_at=2)
    found = offered(one, two, names=A, unsigned="a")
    assert set(found.secrets) == {A}
    assert found.entry_ids == ("a", "b")
    assert found.pending == ("a",)


@pytest.mark.parametrize(
    ("name", "asked_for"),
    [("default", ""), (A, ""), ("ROOTCA", ""), ("ALL", ""), ("spiffe://friend.test", "")],
)
def test_a_stranger_is_denied_whatever_it_names(name: str, asked_for: str) -> None:
    """WAPI-30: also the own bundle; that it exists is no secret, but nobody's right."""
    found = offered(entitlement("a", "unix:uid:2"), names=name)
    assert found.missing == {name: Missing(Kind.DENIED, asked_for=asked_for)}


def test_somebody_elses_identity_is_denied_by_name() -> None:
    """The refusal says what was asked for, so that it can be explained."""
    name = "spiffe://example.org/b"
    found = offered(entitlement("a"), entitlement("b", "unix:uid:2"), names=name)
    assert found.missing == {name: Missing(Kind.DENIED, asked_for=name)}


def test_a_blocked_identity_is_denied_as_such() -> None:
    """Neither its certificate nor, if it was the only one, a bundle is given."""
    [missing] = offered(entitlement("a"), names=A, spiffe_ids=A).missing.values()
    assert missing.kind is Kind.DENIED
    assert [each.entitlement.id for each in missing.withheld] == ["a"]
    [missing] = offered(entitlement("a"), names="ROOTCA", spiffe_ids=A).missing.values()
    assert missing.withheld


def test_nobody_takes_the_place_of_a_blocked_default_identity() -> None:
    """Who was to be shown as one identity is never shown as another because of a block."""
    both = entitlement("a", created_at=1), entitlement("b", created_at=2)
    found = offered(*both, names="default spiffe://example.org/b", spiffe_ids=A)
    assert set(found.secrets) == {"spiffe://example.org/b"}
    assert found.missing["default"].kind is Kind.DENIED
    assert [each.entitlement.id for each in found.missing["default"].withheld] == ["a"]
    younger = offered(*both, names="default", spiffe_ids="spiffe://example.org/b")
    assert set(younger.secrets) == {"default"}


def test_a_foreign_bundle_needs_an_entry_that_federates() -> None:
    """The own trust domain's and the federated ones', and no other."""
    federates = entitlement("a", federates=["friend.test", "empty.test", "late.test"])
    names = "spiffe://friend.test spiffe://empty.test spiffe://late.test spiffe://other.test"
    found = offered(federates, names=names)
    assert set(found.secrets) == {"spiffe://friend.test"}
    kinds = {name: each.kind for name, each in found.missing.items()}
    assert kinds == {
        "spiffe://empty.test": Kind.UNAVAILABLE,
        "spiffe://late.test": Kind.UNAVAILABLE,
        "spiffe://other.test": Kind.DENIED,
    }
    assert "federates with other.test" in found.missing["spiffe://other.test"].why


def test_all_leaves_out_domains_without_authorities() -> None:
    """Envoy refuses a validator whole in which one trust domain has no certificate."""
    federates = entitlement("a", federates=["friend.test", "empty.test"])
    [secret] = offered(federates, names="ALL").secrets.values()
    assert b"friend.test" in secret.packed.value
    assert b"empty.test" not in secret.packed.value
    found = offered(federates, names="ALL", bundles=(EMPTY,))
    assert found.missing["ALL"].kind is Kind.UNAVAILABLE


def test_the_plain_form_never_mixes_trust_domains() -> None:
    """A list of authorities cannot say for whom each may speak, so ALL does not exist there."""
    federates = entitlement("a", federates=["friend.test"])
    found = offered(federates, names="ALL ROOTCA", form=Form.PLAIN)
    assert set(found.secrets) == {"ROOTCA"}
    assert found.missing["ALL"].kind is Kind.PRECONDITION
    assert "SPIFFE validator" in found.missing["ALL"].why


def test_everything_is_under_spiffe_ids() -> None:
    """No names: the bundles and the certificates, none of the aliases."""
    federates = entitlement("a", federates=["friend.test", "empty.test"])
    found = offered(federates, entitlement("b"), everything=True, unsigned="b")
    assert set(found.secrets) == {"spiffe://example.org", "spiffe://friend.test", A}
    assert found.entry_ids == ("a", "b")
    found = offered(federates, everything=True, names="default")
    assert "default" in found.secrets
    assert offered(everything=True).missing == {EVERYTHING: Missing(Kind.DENIED)}


@pytest.mark.parametrize(
    "name", ["nothing", "SPIFFE://example.org/a", "spiffe://", "rootca", "\x1b"]
)
def test_a_name_that_means_nothing_is_told_the_names_there_are(name: str) -> None:
    """It is invalid for ever, unlike the name of an identity that may yet be made."""
    found = (
        offered(entitlement("a"), names="").missing | offered(entitlement("a"), names=name).missing
    )
    assert found[name].kind is Kind.INVALID
    assert "default, ROOTCA, ALL or a SPIFFE ID" in found[name].why
    assert "\x1b" not in found[name].why


def test_entries_are_kept_signed_for_certificates_alone() -> None:
    """A stream for a bundle demands no SVID."""
    assert offered(entitlement("a"), names="ROOTCA ALL").entry_ids == ()
    assert offered(entitlement("a"), names=f"default {A}").entry_ids == ("a",)
