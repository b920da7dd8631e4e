"""What the audit log says of an entry, a node, an SVID or an authority.

Events stand below the registry, so they describe by shape what the registry's values are.
"""

import enum
from collections.abc import Mapping
from typing import Protocol

from finial.spiffe.identity import SpiffeId
from finial.spiffe.selector import Selector


class RegisteredEntry(Protocol):
    """The shape of a registration entry."""

    @property
    def id(self) -> str:
        """The entry's id."""
        ...

    @property
    def spiffe_id(self) -> SpiffeId:
        """Who its workloads are."""
        ...

    @property
    def parent_id(self) -> SpiffeId:
        """Whose workloads they are."""
        ...

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """What its workloads show."""
        ...

    @property
    def revision_number(self) -> int:
        """How often it was changed."""
        ...


class AttestedNode(Protocol):
    """The shape of a node."""

    @property
    def id(self) -> SpiffeId:
        """Which node."""
        ...

    @property
    def attestation_type(self) -> str:
        """How it proved that."""
        ...

    @property
    def serial_number(self) -> str:
        """Its SVID's serial number, empty when it is banned."""
        ...

    @property
    def expires_at(self) -> int:
        """When its SVID expires."""
        ...


class IssuedSvid(Protocol):
    """The shape of a row of the ledger."""

    @property
    def kind(self) -> enum.Enum:
        """X.509 or JWT."""
        ...

    @property
    def serial(self) -> str:
        """The serial number or `jti`."""
        ...

    @property
    def spiffe_id(self) -> str:
        """Whose it is."""
        ...

    @property
    def authority_id(self) -> str:
        """Which authority signed it."""
        ...

    @property
    def expires_at(self) -> int:
        """When it expires."""
        ...

    @property
    def entry_id(self) -> str:
        """By which entry, empty if by none."""
        ...

    @property
    def agent_id(self) -> str:
        """Through which agent, empty if through none."""
        ...


class SigningSlot(Protocol):
    """The shape of an authority's slot."""

    @property
    def use(self) -> enum.Enum:
        """X.509 or JWT."""
        ...

    @property
    def authority_id(self) -> str:
        """Which authority."""
        ...

    @property
    def not_after(self) -> int:
        """When it expires."""
        ...


class LockedOut(Protocol):
    """The shape of a block."""

    @property
    def id(self) -> str:
        """The block's id."""
        ...

    @property
    def kind(self) -> enum.Enum:
        """What kind of thing is blocked."""
        ...

    @property
    def subject(self) -> str:
        """What is blocked."""
        ...

    @property
    def reason(self) -> str:
        """Why."""
        ...

    @property
    def since(self) -> int:
        """Since when."""
        ...

    @property
    def until(self) -> int:
        """Until when, 0 if that is open."""
        ...


class WrittenPolicy(Protocol):
    """The shape of a policy."""

    @property
    def id(self) -> str:
        """The policy's id."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def form(self) -> enum.Enum:
        """How it is written."""
        ...

    @property
    def text(self) -> str:
        """What it says."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether it decides."""
        ...

    @property
    def revision(self) -> int:
        """How often it was changed."""
        ...


class SetMode(Protocol):
    """The shape of a callee's mode."""

    @property
    def callee(self) -> object:
        """Whose mode it is."""
        ...

    @property
    def mode(self) -> enum.Enum:
        """How much rules decide."""
        ...

    @property
    def audit(self) -> enum.Enum:
        """Which decisions are audited."""
        ...


def describe_entry(entry: RegisteredEntry) -> Mapping[str, object]:
    """Say which entry, and what it gives to whom."""
    return {
        "entry_id": entry.id,
        "spiffe_id": str(entry.spiffe_id),
        "parent_id": str(entry.parent_id),
        "selectors": entry.selectors,
        "revision": entry.revision_number,
    }


def describe_node(node: AttestedNode) -> Mapping[str, object]:
    """Say which node, how it was attested and by which serial number it is known."""
    return {
        "agent_id": str(node.id),
        "attestation_type": node.attestation_type,
        "serial": node.serial_number,
        "expires_at": node.expires_at,
    }


def describe_issued(svid: IssuedSvid) -> Mapping[str, object]:
    """Say which SVID was issued to whom, and why."""
    return {
        "svid": svid.kind.value,
        "spiffe_id": svid.spiffe_id,
        "serial": svid.serial,
        "authority_id": svid.authority_id,
        "expires_at": svid.expires_at,
        "entry_id": svid.entry_id,
        "agent_id": svid.agent_id,
    }


def describe_slot(slot: SigningSlot) -> Mapping[str, object]:
    """Say which authority, and until when it lives."""
    return {
        "use": slot.use.value,
        "authority_id": slot.authority_id,
        "not_after": slot.not_after,
    }


def describe_block(block: LockedOut) -> Mapping[str, object]:
    """Say what is blocked, why, since when and until when."""
    subject = block.subject
    return {
        "block_id": block.id,
        "blocks": block.kind.value,
        "subject": Selector.parse(subject) if block.kind.value == "selector" else subject,
        "why": block.reason,
        "since": block.since,
        "until": block.until,
    }


def describe_policy(policy: WrittenPolicy) -> Mapping[str, object]:
    """Say which policy, and what it says."""
    return {
        "policy_id": policy.id,
        "name": policy.name,
        "form": policy.form.value,
        "text": policy.text,
        "enabled": policy.enabled,
        "revision": policy.revision,
    }


def describe_mode(mode: SetMode) -> Mapping[str, object]:
    """Say which callee lets rules decide how much."""
    return {"callee": str(mode.callee), "mode": mode.mode.value, "audit": mode.audit.value}
