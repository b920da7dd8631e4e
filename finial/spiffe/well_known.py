"""The SPIFFE IDs that the server keeps for itself and for agents, as SPIRE lays them out."""

from typing import Final

from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal

RESERVED_PREFIX: Final = "/spire"
SERVER_PATH: Final = "/spire/server"
AGENT_PREFIX: Final = "/spire/agent"


def server_id(trust_domain: TrustDomain) -> SpiffeId:
    """The SPIFFE ID of the trust domain's servers."""
    return SpiffeId(trust_domain, SERVER_PATH)


def agent_id(trust_domain: TrustDomain, suffix: str) -> SpiffeId:
    """The SPIFFE ID of an agent; `suffix` is what its attestor says, such as `/x509pop/0a1b`.

    Raises: Refusal of kind INVALID.
    """
    if not suffix.startswith("/"):
        raise Refusal(
            Kind.INVALID, "an agent's path goes on below /spire/agent", field="agent_path"
        )
    return SpiffeId.of(trust_domain, AGENT_PREFIX + suffix)


def is_agent(spiffe_id: SpiffeId) -> bool:
    """Whether this is the SPIFFE ID of an agent: something below /spire/agent."""
    return spiffe_id.path.startswith(AGENT_PREFIX + "/")


def is_reserved(spiffe_id: SpiffeId) -> bool:
    """Whether the path is /spire or lies below it, where no workload may be registered."""
    return spiffe_id.is_under(RESERVED_PREFIX)


def judge_member(spiffe_id: SpiffeId, trust_domain: TrustDomain, field: str = "spiffe_id") -> None:
    """Accept a SPIFFE ID that has a path and belongs to the trust domain.

    `field` names the place that a refusal speaks of.

    Raises: Refusal of kind INVALID.
    Spec: SPIFFE-ID section 4.1.2 (ID-28), X509-SVID section 3.1 (X509-05).
    """
    if spiffe_id.trust_domain != trust_domain:
        fault = f"the SPIFFE ID is not in the trust domain {trust_domain}"
    elif not spiffe_id.path:
        fault = "the SPIFFE ID has no path, so it names the trust domain itself"
    else:
        return
    raise _invalid(spiffe_id, fault, field, f"write it like {trust_domain.id}/web")


def judge_workload_id(
    spiffe_id: SpiffeId, trust_domain: TrustDomain, field: str = "spiffe_id"
) -> None:
    """Accept a SPIFFE ID that a workload of this trust domain may have.

    `field` names the place that a refusal speaks of.

    Raises: Refusal of kind INVALID.
    Spec: SPIFFE-ID sections 2.2 and 4.1.2 (ID-28, ID-30), X509-SVID section 3.1 (X509-05).
    """
    judge_member(spiffe_id, trust_domain, field)
    if is_reserved(spiffe_id):
        fault = "paths at and below /spire are kept for servers and agents"
        raise _invalid(spiffe_id, fault, field, "choose another path")


def _invalid(spiffe_id: SpiffeId, fault: str, field: str, remedy: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field=field, value=str(spiffe_id)[:80], remedy=remedy)
