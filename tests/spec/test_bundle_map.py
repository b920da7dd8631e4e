"""Trust Domain and Bundle: the map of several trust domains' bundles."""

import pytest

from finial.spiffe.bundle_map import parse_bundle_map, render_bundle_map
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Refusal
from tests.spec.published import BUNDLE, EXAMPLE, OTHER


def test_a_bundle_map_comes_back_without_hints() -> None:
    """TDB-19, TDB-20, TDB-22: a map names each trust domain once, by name, and its bundles have no hint."""
    written = render_bundle_map([BUNDLE, OTHER])
    assert "spiffe_refresh_hint" not in written.decode()
    found = parse_bundle_map(written)
    assert found[OTHER.trust_domain] == OTHER
    assert found[EXAMPLE].x509_authorities == BUNDLE.x509_authorities
    with pytest.raises(Refusal, match="once"):
        render_bundle_map([BUNDLE, BUNDLE])


def test_an_empty_bundle_map_is_good() -> None:
    """TDB-19: a map of no trust domains is good, one without the member is not."""
    assert parse_bundle_map(b'{"trust_domains":{}}') == {}
    for wrong in (b"{}", b'{"trust_domains":[]}', b'{"trust_domains":{"a.test":[]}}'):
        with pytest.raises(Refusal):
            parse_bundle_map(wrong)


def test_a_bundle_map_is_keyed_by_names() -> None:
    """TDB-19: a key that is a SPIFFE ID instead of a name makes the map an error."""
    with pytest.raises(Refusal):
        parse_bundle_map(b'{"trust_domains":{"spiffe://a.test":{"keys":[]}}}')


def test_a_bundle_map_with_a_name_twice_is_refused() -> None:
    """TDB-21: two bundles under one name are refused, not silently the last one."""
    with pytest.raises(Refusal, match="name twice"):
        parse_bundle_map(b'{"trust_domains":{"a.test":{"keys":[]},"a.test":{"keys":[]}}}')


def test_a_hint_inside_a_map_says_nothing() -> None:
    """TDB-23: the refresh hint of a bundle inside a map is dropped."""
    found = parse_bundle_map(b'{"trust_domains":{"a.test":{"keys":[],"spiffe_refresh_hint":5}}}')
    assert found[TrustDomain.parse("a.test")].refresh_hint == 0


def test_a_bundle_map_is_read_whole_or_not_at_all() -> None:
    """TDB-24: one bundle that cannot be read makes the whole map an error."""
    with pytest.raises(Refusal):
        parse_bundle_map(b'{"trust_domains":{"a.test":{"keys":[]},"b.test":{}}}')
