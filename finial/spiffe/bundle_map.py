"""The bundle map: the bundles of several trust domains in one document."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from finial.spiffe.bundle import Bundle
from finial.spiffe.bundle_document import read_spiffe_bundle, write_spiffe_bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.json import strict_json
from finial.spiffe.refusal import Kind, Refusal


def parse_bundle_map(document: bytes) -> Mapping[TrustDomain, Bundle]:
    """Read a bundle map whole: either all of it is good, or nothing of it is taken.

    Refresh hints inside are dropped, since they say nothing about the map.

    Raises: Refusal of kind INVALID.
    Spec: Trust Domain and Bundle section 5 (TDB-19, TDB-21, TDB-23, TDB-24).
    """
    domains = strict_json.loads_object(document).get("trust_domains")
    if not isinstance(domains, dict):
        raise _invalid("the member trust_domains is missing or not an object")
    return {
        bundle.trust_domain: replace(bundle, refresh_hint=0)
        for bundle in (_bundle(name, content) for name, content in domains.items())
    }


def render_bundle_map(bundles: Iterable[Bundle]) -> bytes:
    """Write a bundle map, each trust domain once and without refresh hints.

    Raises: Refusal of kind INVALID when a trust domain comes twice.
    Spec: Trust Domain and Bundle section 5.1.1 (TDB-19, TDB-20, TDB-22).
    """
    domains: dict[str, object] = {}
    for bundle in bundles:
        if bundle.trust_domain.name in domains:
            raise _invalid("a bundle map names each trust domain once", bundle.trust_domain.name)
        domains[bundle.trust_domain.name] = write_spiffe_bundle(replace(bundle, refresh_hint=0))
    return json.dumps({"trust_domains": domains}, separators=(",", ":")).encode("ascii")


def _bundle(name: str, content: object) -> Bundle:
    trust_domain = TrustDomain.parse(name)
    if not isinstance(content, dict):
        raise _invalid("a bundle map holds something that is no SPIFFE bundle", name)
    return read_spiffe_bundle(trust_domain, content)


def _invalid(fault: str, value: str = "") -> Refusal:
    return Refusal(Kind.INVALID, fault, field="trust_domains", value=value[:80])
