"""Events as records of the audit log."""

import pytest

from attestors.contract import SelectorForm
from ca.authority.slot import Use
from ca.events.audit import render, render_actor, unaudited
from ca.events.happened import (
    SYSTEM,
    Actor,
    ActorKind,
    ApiTokenCreated,
    ApiTokenRevoked,
    AuthorityActivated,
    AuthorityPrepared,
    AuthorityRetired,
    BundleChanged,
    BundleDeleted,
    CallRefused,
    EntryCreated,
    EntryDeleted,
    EntryDoubted,
    EntryUpdated,
    Event,
    JoinTokenCreated,
    JoinTokenDeleted,
    Minted,
    NodeAttested,
    NodeBanned,
    NodeEvicted,
    NodeRenewed,
    SvidsIssued,
)
from ca.events.locked_out import Blocked
from ca.registry.api_token import Scope
from ca.registry.issued import SvidKind
from finial.blocks import Block, SubjectKind
from finial.explain.hiding import Hiding
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from tests.doubles.clock import NOW
from tests.doubles.datastore import AGENT, TRUST_DOMAIN, entry, node, slot, svid, workload

WHO = Actor(ActorKind.TOKEN, id="t1", address="10.0.0.1:99")

ENTRY = {
    "entry_id": "web",
    "spiffe_id": "spiffe://example.org/web",
    "parent_id": str(AGENT),
    "selectors": ["unix:uid:1000", "unix:user:web"],
    "revision": 0,
}
NODE = {
    "agent_id": str(AGENT),
    "attestation_type": "x509pop",
    "serial": "1",
    "expires_at": int(NOW) + 3600,
}
X509 = {
    "svid": "x509",
    "spiffe_id": "spiffe://example.org/web",
    "serial": "7",
    "authority_id": "aa",
    "expires_at": int(NOW) + 3600,
    "entry_id": "web",
    "agent_id": str(AGENT),
}
JOIN = {"join_token_id": "j1", "expires_at": 9, "alias": ""}
API = {"api_token_id": "t1", "name": "ci", "scopes": ["entries:read", "mint"], "expires_at": 0}
SCOPES = frozenset({Scope.MINT, Scope.ENTRIES_READ})
AUTHORITY = {"use": "jwt", "authority_id": "k1", "not_after": int(NOW) + 86400}
SLOT = slot("k1", use=Use.JWT)


@pytest.mark.parametrize(
    ("event", "kind", "subject"),
    [
        (EntryCreated(WHO, entry("web")), "entry_created", ENTRY),
        (EntryUpdated(WHO, entry("web")), "entry_updated", ENTRY),
        (EntryDeleted(WHO, entry("web")), "entry_deleted", ENTRY),
        (EntryDeleted(WHO, "web"), "entry_deleted", {"entry_id": "web"}),
        (
            EntryDoubted(WHO, entry("web"), ("unix:x: no such",), insisted=True),
            "entry_doubted",
            {
                "entry_id": "web",
                "spiffe_id": "spiffe://example.org/web",
                "doubts": ["unix:x: no such"],
                "insisted": True,
            },
        ),
        (NodeAttested(WHO, node()), "node_attested", NODE),
        (NodeRenewed(WHO, node()), "node_renewed", NODE),
        (NodeBanned(WHO, node()), "node_banned", NODE),
        (NodeEvicted(WHO, node()), "node_evicted", NODE),
        (Minted(WHO, svid("7")), "svid_minted", X509),
        (JoinTokenCreated(WHO, "j1", 9), "join_token_created", JOIN),
        (
            JoinTokenCreated(WHO, "j1", 9, workload("fleet")),
            "join_token_created",
            {**JOIN, "alias": "spiffe://example.org/fleet"},
        ),
        (JoinTokenDeleted(WHO, "j1", 9), "join_token_deleted", JOIN),
        (ApiTokenCreated(WHO, "t1", "ci", SCOPES), "api_token_created", API),
        (ApiTokenRevoked(WHO, "t1", "ci", SCOPES), "api_token_revoked", API),
        (AuthorityPrepared(WHO, SLOT), "authority_prepared", AUTHORITY),
        (AuthorityActivated(WHO, SLOT), "authority_activated", AUTHORITY),
        (AuthorityRetired(WHO, SLOT), "authority_retired", AUTHORITY),
        (
            BundleChanged(WHO, TRUST_DOMAIN, 4),
            "bundle_changed",
            {"trust_domain": "example.org", "sequence": 4},
        ),
        (BundleDeleted(WHO, TRUST_DOMAIN), "bundle_deleted", {"trust_domain": "example.org"}),
    ],
)
def test_record_says_who_did_what_to_whom(event: Event, kind: str, subject: object) -> None:
    """Each act is one record of kind, actor, subject and outcome."""
    actor = {"kind": "token", "id": "t1", "address": "10.0.0.1:99"}
    assert list(render(event)) == [{"kind": kind, "actor": actor, **subject, "outcome": "done"}]  # type: ignore[dict-item]


def test_each_svid_has_a_record_of_its_own() -> None:
    """A batch of SVIDs is as many records as SVIDs."""
    batch = [svid("7"), svid("8", kind=SvidKind.JWT, entry_id="db")]
    records = list(render(SvidsIssued(WHO, batch)))
    assert [record["kind"] for record in records] == ["svid_issued", "svid_issued"]
    assert records[0].items() >= X509.items()
    assert records[1].items() >= {"svid": "jwt", "serial": "8", "entry_id": "db"}.items()


def test_refusal_says_why_but_not_the_value() -> None:
    """A refused call is told with kind and reason; what the caller sent may be a secret."""
    refusal = Refusal(Kind.INVALID, "too long", field="token", value="the secret", remedy="cut it")
    [record] = render(CallRefused(WHO, "/spire.Agent/AttestAgent", refusal, subject="web"))
    assert record == {
        "kind": "call_refused",
        "actor": {"kind": "token", "id": "t1", "address": "10.0.0.1:99"},
        "method": "/spire.Agent/AttestAgent",
        "subject": "web",
        "field": "token",
        "outcome": "refused",
        "refusal": "invalid",
        "reason": "too long",
    }


def test_refusal_without_subject_and_field() -> None:
    """What is not known of a refused call is left out."""
    [record] = render(CallRefused(SYSTEM, "m", Refusal(Kind.DENIED, "no")))
    assert record["actor"] == {"kind": "system"}
    assert not {"subject", "field"} & record.keys()


def test_local_actor_is_told_by_the_kernels_word() -> None:
    """The uid 0 is known and told, an unknown pid is not."""
    assert render_actor(Actor(ActorKind.LOCAL, uid=0)) == {"kind": "local", "uid": 0}
    assert render_actor(Actor(ActorKind.LOCAL, uid=5, pid=9)) == {
        "kind": "local",
        "uid": 5,
        "pid": 9,
    }


def test_act_that_cannot_be_audited_is_refused_in_words() -> None:
    """The refusal says what is wrong with the audit log, where that is known."""
    full = unaudited(OSError(28, "No space left on device"))
    assert full.kind is Kind.UNAVAILABLE
    assert "No space left on device" in full.remedy
    assert "cannot be written" in unaudited(OSError()).remedy


def test_values_of_secret_selectors_are_no_matter_for_the_log() -> None:
    """An entry and a block are told with a secret selector's name, by its grammar or its looks."""
    secret = (Selector("docker", "env:TOKEN=s3cret"), Selector("vault", "key:s3cret"))
    form = SelectorForm("key", "key:.+", "vault:key:x", "vault", secret=True)
    [created] = render(EntryCreated(WHO, entry("web", selectors=secret)), Hiding({"vault": [form]}))
    assert created["selectors"] == ["docker:env:TOKEN=(hidden)", "vault:key:(hidden)"]
    block = Block("b1", SubjectKind.SELECTOR, str(secret[0]), "leaked", 1)
    [blocked] = render(Blocked(WHO, block))
    assert blocked["subject"] == "docker:env:TOKEN=(hidden)"
