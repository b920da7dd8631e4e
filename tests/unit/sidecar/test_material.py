"""What is judged before anything on the disk is replaced."""

from typing import Any

import pytest

from cli.sidecar.material import choose, crl_pem, judge, key_pem, pem
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.ca import SmallCa
from tests.doubles.clock import NOW
from tests.doubles.workload_api import answer, revoking

CA = SmallCa()


def judged(given: Any, now: float = NOW) -> Any:
    return judge(given, given.svids[0], now)


def refused(given: Any, now: float = NOW) -> str:
    with pytest.raises(Refusal) as caught:
        judged(given, now)
    assert caught.value.kind is Kind.INVALID
    return caught.value.detail


def test_a_good_svid_is_taken_whole() -> None:
    """Chain, key and authorities are what the Workload API gave."""
    web = CA.workload("/web")
    found = judged(answer(web, authorities=[CA]))
    assert str(found.svid.id) == "spiffe://example.org/web"
    assert (pem(found.svid.chain), key_pem(found.key)) == (web.chain_pem, web.key_pem)
    assert pem(found.authorities) == CA.pem
    assert (found.crls, found.without_crl) == ((), (CA.certificate.subject.rfc4514_string(),))


def test_a_chain_with_an_intermediate_is_whole() -> None:
    """Callers who trust the root alone need the authorities between."""
    web = CA.intermediate().workload("/web")
    assert pem(judged(answer(web, authorities=[CA])).svid.chain) == web.chain_pem


def test_a_key_that_fits_another_certificate_is_refused() -> None:
    """Key and certificate belong together."""
    given = answer(CA.workload("/web"), authorities=[CA])
    given.svids[0].x509_svid_key = CA.workload("/web").key_pkcs8
    assert "does not fit" in refused(given)
    given.svids[0].x509_svid_key = b"no key"
    assert "cannot be read" in refused(given)


def test_a_certificate_of_somebody_else_is_refused() -> None:
    """The SPIFFE ID of the answer is that of the certificate (X509-02)."""
    given = answer(CA.workload("/web"), authorities=[CA])
    given.svids[0].spiffe_id = "spiffe://example.org/db"
    assert "was given as spiffe://example.org/db" in refused(given)


def test_a_chain_that_does_not_lead_to_the_bundle_is_refused() -> None:
    """Nobody who holds this bundle would believe it (X509-26)."""
    refused(answer(CA.workload("/web"), authorities=[SmallCa()]))


def test_an_svid_that_is_over_is_refused() -> None:
    """What has expired is no better than what is there."""
    refused(answer(CA.workload("/web"), authorities=[CA]), NOW + 7200)


@pytest.mark.parametrize("rubbish", [b"rubbish", b"\x30\x03\x02\x01\x01"])
@pytest.mark.parametrize("member", ["x509_svid", "bundle"])
def test_rubbish_is_refused(member: str, rubbish: bytes) -> None:
    """Certificates are read before they are written."""
    given = answer(CA.workload("/web"), authorities=[CA])
    setattr(given.svids[0], member, rubbish)
    refused(given)
    given = answer(CA.workload("/web"), authorities=[CA])
    given.svids[0].bundle += rubbish
    refused(given)


def test_the_asked_svid_is_chosen() -> None:
    """By ID, by hint, else the first one; what there is instead is named."""
    given = answer(CA.workload("/a"), CA.workload("/b"), authorities=[CA])
    given.svids[1].hint = "second"
    assert choose(given, "", "").spiffe_id.endswith("/a")
    assert choose(given, "spiffe://example.org/b", "").spiffe_id.endswith("/b")
    assert choose(given, "", "second").spiffe_id.endswith("/b")
    with pytest.raises(Refusal, match=r"spiffe://example.org/a, spiffe://example.org/b") as caught:
        choose(given, "spiffe://example.org/c", "")
    assert caught.value.kind is Kind.NOT_FOUND


def test_lists_of_our_authorities_are_taken() -> None:
    """A list is for the authority that signed it, and the latest counts."""
    thief, successor = CA.workload("/thief"), SmallCa()
    early, late = revoking(CA, now=NOW - 60), revoking(CA, thief)
    given = answer(CA.workload("/web"), authorities=[CA, successor], crls=[late, early])
    found = judged(given)
    assert found.crls == (late,)
    assert found.without_crl == (successor.certificate.subject.rfc4514_string(),)
    assert crl_pem(found.crls).startswith(b"-----BEGIN X509 CRL-----")


def test_lists_of_strangers_and_old_ones_are_left_out() -> None:
    """A list by a key that is no authority's, one that is over, and one from the future."""
    stranger = SmallCa()
    lists = [revoking(stranger), revoking(CA, lifetime=1), revoking(CA, now=NOW + 3600)]
    found = judged(answer(CA.workload("/web"), authorities=[CA], crls=lists))
    assert found.crls == ()
    assert len(found.without_crl) == 1


def test_a_list_that_is_none_is_refused() -> None:
    """Who sends rubbish as a list is not believed in the rest."""
    assert "revocation list" in refused(
        answer(CA.workload("/web"), authorities=[CA], crls=[b"rubbish"])
    )


def test_other_trust_domains_are_kept_apart() -> None:
    """A federated authority could else sign for our own trust domain (X509-31, TDB-04)."""
    other = SmallCa("other.org")
    given = answer(CA.workload("/web"), authorities=[CA])
    given.federated_bundles["spiffe://other.org"] = other.der
    found = judged(given)
    assert pem(found.authorities) == CA.pem
    assert found.federated == {"other.org": (other.der,)}


@pytest.mark.parametrize(
    ("name", "der"),
    [
        ("spiffe://other.org", b"rubbish"),
        ("spiffe://other.org", b"\x30\x03\x02\x01\x01"),
        ("no id", b""),
        ("spiffe://" + "x" * 250, SmallCa("other.org").der),
    ],
)
def test_a_bundle_of_others_that_cannot_be_written_holds_up_nothing(name: str, der: bytes) -> None:
    """Another trust domain's fault, or its long name, does not end the rotation of our SVID."""
    given = answer(CA.workload("/web"), authorities=[CA])
    given.federated_bundles[name] = der
    found = judged(given)
    assert found.federated == {}
    assert [each.startswith(f"{name}: ") for each in found.left_out] == [True]
