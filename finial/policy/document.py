"""What an agent receives: the rules for its callees, their modes, and identities' attributes."""

from typing import Final

import msgspec

from finial.policy.cedar.form import read_cedar
from finial.policy.decision import Mode
from finial.policy.policy_set import PolicySet
from finial.policy.rule import MAX_TEXT, judge_name, read_rule
from finial.policy.statement import Form, Statement
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal

MAX_DOCUMENT: Final = 64 * 1024 * 1024
"""Bytes that a document from another process may have."""


class PolicyText(msgspec.Struct, frozen=True):
    """One policy as it was registered: JSON of a rule, or Cedar."""

    name: str
    form: Form
    text: str


class PolicyDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides on one node.

    `callees` names every identity that may be asked about, with its explicit mode. `attributes`
    holds the values of identities that rules here speak of, by SPIFFE ID and name. `audit_all` are
    the callees of which every decision is audited, not denials alone.
    """

    version: int
    callees: dict[str, Mode]
    policies: tuple[PolicyText, ...] = ()
    attributes: dict[str, dict[str, list[str]]] = {}
    audit_all: tuple[str, ...] = ()

    def encoded(self) -> bytes:
        """Write the document as JSON, equal ones with equal bytes."""
        return msgspec.json.encode(self, order="sorted")


def decode_policies(document: bytes) -> PolicyDocument:
    """Read what a server wrote; a member that is not known might be a restriction.

    Raises: Refusal of kind INVALID: too large, or no such document.
    """
    if len(document) > MAX_DOCUMENT:
        raise Refusal(Kind.INVALID, f"the rules have {len(document)} bytes, too many to read")
    try:
        return msgspec.json.decode(document, type=PolicyDocument)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(Kind.INVALID, f"this is no document of rules: {error}") from error


def read_policy(policy: PolicyText) -> tuple[Statement, ...]:
    """The statements of a policy in either form.

    Raises: Refusal of kind INVALID.
    """
    judge_name(policy.name)
    if policy.form is Form.CEDAR:
        return read_cedar(policy.name, policy.text)
    rule = read_rule(policy.text[: MAX_TEXT + 1].encode("utf-8", "surrogatepass"))
    if rule.name != policy.name:
        fault = f"the policy is named {policy.name!r}, and its rule {rule.name!r}"
        raise Refusal(Kind.INVALID, fault, field="name", remedy="give both the same name")
    return (Statement.of(rule),)


class Reader:
    """Makes policy sets of documents, reading only the policies that it has not read before."""

    def __init__(self) -> None:
        self._read: dict[PolicyText, tuple[Statement, ...]] = {}

    def policy_set(self, document: PolicyDocument) -> PolicySet:
        """The set that decides by this document.

        Raises: Refusal of kind INVALID when a policy or an ID in it cannot be read; what was read
        before stays what it is.
        """
        read = {
            policy: self._read.get(policy) or read_policy(policy) for policy in document.policies
        }
        made = PolicySet(
            document.version,
            [statement for policy in document.policies for statement in read[policy]],
            {SpiffeId.parse(callee): mode for callee, mode in document.callees.items()},
            {SpiffeId.parse(one): has for one, has in document.attributes.items()},
        )
        self._read = read
        return made
