"""Whether an agent is still the agent that attested (spire-features 7.12)."""

from dataclasses import dataclass, replace

from ca.registry.nodes.node import Node
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Reason, Refusal


@dataclass(frozen=True, slots=True)
class Standing:
    """An agent in good standing; `changed` means that `node` is other than what is stored."""

    node: Node
    changed: bool = False


def judge_agent(
    node: Node | None, serial: str, not_after: float, now: float, *, agent: SpiffeId
) -> Standing:
    """Judge a call by the serial number (decimal) and the end of the caller's SVID.

    The first use of a renewed SVID makes its serial number the only one.

    Raises: Refusal of kind DENIED with the reason by which the agent decides what to do.
    Spec: spire-features BR-03, BR-04.
    """
    if now > not_after:
        raise _denied(f'agent "{agent}" SVID is expired', Reason.AGENT_EXPIRED)
    if node is None:
        raise _denied(f'agent "{agent}" is not attested', Reason.AGENT_NOT_ATTESTED)
    if node.banned:
        raise _denied(f'agent "{agent}" is banned', Reason.AGENT_BANNED)
    if serial == node.serial_number:
        return Standing(node)
    if node.new_serial_number and serial == node.new_serial_number:
        return Standing(_promoted(node), changed=True)
    raise _denied(
        f'agent "{agent}" expected to have serial number "{node.serial_number}"; has "{serial}"',
        Reason.AGENT_NOT_ACTIVE,
    )


def judge_renewal(node: Node) -> None:
    """Refuse to renew an agent that can prove again what it is (BR-02).

    Raises: Refusal of kind DENIED with reason AGENT_MUST_REATTEST.
    """
    if node.can_reattest:
        raise _denied("agent must reattest instead of renew", Reason.AGENT_MUST_REATTEST)


def judge_attestation(known: Node | None) -> None:
    """Refuse to attest an agent that is banned, until it is evicted (BR-06).

    Raises: Refusal of kind DENIED.
    """
    if known is not None and known.banned:
        raise _denied("failed to attest: agent is banned", Reason.AGENT_BANNED)


def renewed(node: Node, serial: str, expires_at: int) -> Node:
    """The node once it was given another SVID, good beside the one it has (BR-03).

    Raises: Refusal of kind DENIED for a node that was banned while its SVID was made.
    """
    if node.banned:
        raise _denied(f'agent "{node.id}" is banned', Reason.AGENT_BANNED)
    return replace(node, new_serial_number=serial, new_expires_at=expires_at)


def banned(node: Node) -> Node:
    """The node with no SVID that counts (BR-06)."""
    return replace(
        node,
        serial_number="",
        expires_at=0,
        new_serial_number="",
        new_expires_at=0,
        banned=True,
    )


def _promoted(node: Node) -> Node:
    return replace(
        node,
        serial_number=node.new_serial_number,
        expires_at=node.new_expires_at,
        new_serial_number="",
        new_expires_at=0,
    )


def _denied(detail: str, reason: Reason) -> Refusal:
    return Refusal(Kind.DENIED, detail, reason=reason)
