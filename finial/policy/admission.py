"""What a policy has to be before it is registered: about this trust domain, and able to match.

A rule that can never match is worse than one that is missing, since somebody relies on it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from finial.policy.cedar.literal import (
    attributes_asked_for,
    compared,
    contradiction,
    prefixes_taken_for_workloads,
)
from finial.policy.cedar.text import PREFIX, RESERVED, schema_text
from finial.policy.document import PolicyText, read_policy
from finial.policy.grounds import Ground
from finial.policy.id_pattern import IdPattern
from finial.policy.path.reading import read_path
from finial.policy.rule import Rule, read_rule
from finial.policy.statement import Form, Statement
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.well_known import is_reserved

_REGISTERED: Final = """
GET HEAD POST PUT PATCH DELETE CONNECT OPTIONS TRACE QUERY
ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR
MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPFIND PROPPATCH REBIND REPORT SEARCH
UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL
"""

METHODS: Final = frozenset(_REGISTERED.split())
"""The methods registered for HTTP (RFC 9110 section 16.1.1)."""


@dataclass(frozen=True, slots=True)
class Known:
    """What exists: the own trust domain, those federated with, the attributes of all entries."""

    trust_domain: TrustDomain
    federated: Collection[TrustDomain]
    attributes: Collection[str]


def faults(policy: PolicyText, known: Known) -> Iterator[Refusal]:
    """All reasons against a policy, each with field, value and remedy where there are some."""
    try:
        statements = read_policy(policy)
    except Refusal as refusal:
        yield refusal
        return
    for statement in statements:
        yield from _subjects(statement, known)
    if policy.form is Form.RULE:
        yield from _rule(read_rule(policy.text.encode()), known)
    else:
        for statement in statements:
            yield from _cedar(statement, known)


def _subjects(statement: Statement, known: Known) -> Iterator[Refusal]:
    domains = {known.trust_domain, *known.federated}
    for pattern in sorted(statement.named):
        field = _place(pattern, statement)
        if pattern.id.trust_domain not in domains:
            fault = f"the trust domain {pattern.id.trust_domain} is not known here"
            names = [str(each) for each in domains]
            remedy = _meant(pattern.id.trust_domain.name, names) or "federate with it first"
            yield _refusal(fault, field, str(pattern), remedy)
        elif not pattern.below and not pattern.id.path:
            fault = "it can never match: the ID names the trust domain itself, and no workload"
            yield _refusal(fault, field, str(pattern), f"write {pattern.id}/*")
        elif is_reserved(pattern.id):
            fault = "it can never match: IDs at and below /spire are no workloads'"
            yield _refusal(fault, field, str(pattern), "name a workload")
    for pattern in statement.callees:
        yield from _callee(pattern, known)


def _place(pattern: IdPattern, statement: Statement) -> str:
    if pattern in statement.callers:
        return "from"
    return "to" if pattern in statement.callees else "cedar"


def _callee(pattern: IdPattern, known: Known) -> Iterator[Refusal]:
    if pattern.id.trust_domain in known.federated:
        fault = "it can never match: callees of another trust domain are not decided about here"
        yield _refusal(fault, "to", str(pattern), "register it there")


def _rule(rule: Rule, known: Known) -> Iterator[Refusal]:
    for method in rule.methods:
        yield from _method(method)
    for side, has in (("caller", rule.caller_has), ("callee", rule.callee_has)):
        for name, _ in has:
            yield from _attribute(f"when.{side}", name, known)
    if rule.caller_has and all(each.id.trust_domain in known.federated for each in rule.callers):
        fault = "it can never match: attributes of another trust domain's identities are not known"
        yield _refusal(fault, "when.caller", rule.caller_has[0][0], "leave the condition out")


def _cedar(statement: Statement, known: Known) -> Iterator[Refusal]:
    import cedarpy

    judged = cedarpy.validate_policies(statement.text, schema_text(known.attributes))
    for error in judged.errors:
        fault = error.error.removeprefix("for policy `policy0`, ")
        yield _refusal(fault, "cedar", statement.name, _attribute_remedy(statement, known))
    for name in attributes_asked_for(statement.text):
        fault = "`has` is true of everybody: where there is no such attribute, it is an empty set"
        yield _refusal(fault, "cedar", name, f"ask !principal.attributes.{name}.isEmpty()")
    for prefix in prefixes_taken_for_workloads(statement.text):
        fault = "nobody is a Prefix: workloads are in it"
        yield _refusal(fault, "cedar", prefix, f'write in {PREFIX}::"{prefix}"')
    for subject, values in compared(statement.text):
        for value in sorted(values):
            yield from _compared(subject, value, known)
    why = contradiction(statement.text)
    if why:
        yield _refusal(f"it can never match: {why}", "cedar", statement.name, "")


def _compared(subject: str, value: str, known: Known) -> Iterator[Refusal]:
    match subject:
        case "context.method":
            yield from _method(value)
        case "context.path":
            yield from _path(value)
        case "principal.trust_domain" | "resource.trust_domain":
            yield from _domain(value, known)
        case "principal.id" | "resource.id":
            try:
                yield from _domain(SpiffeId.parse(value).trust_domain.name, known)
            except Refusal as refusal:
                yield _refusal(f"it can never match: {refusal.detail}", "cedar", value, "")


def _domain(name: str, known: Known) -> Iterator[Refusal]:
    names = [each.name for each in (known.trust_domain, *known.federated)]
    if name not in names:
        remedy = _meant(name, names) or "federate with it first"
        yield _refusal("no such trust domain is known here", "cedar", name, remedy)


def _method(method: str) -> Iterator[Refusal]:
    if method not in METHODS:
        fault = "it can never match: there is no such HTTP method"
        yield _refusal(fault, "methods", method, _meant(method.upper(), METHODS))


def _path(path: str) -> Iterator[Refusal]:
    # A literal is compared with what is decoded: with a percent sign it may be well meant.
    read = read_path(path.replace("%", "%25"))
    if isinstance(read, Ground) and read is not Ground.PATH_CHARACTERS:
        yield _refusal(f"it can never match: {read.sentence}", "paths", path, "")


def _attribute(field: str, name: str, known: Known) -> Iterator[Refusal]:
    if name.startswith(RESERVED):
        fault = "an attribute whose name begins with two underscores is none for rules"
        yield _refusal(fault, field, name, "name it otherwise")
    elif name not in known.attributes:
        remedy = _meant(name, known.attributes) or "give it to an entry first"
        yield _refusal("no entry has an attribute of this name", field, name, remedy)


def _attribute_remedy(statement: Statement, known: Known) -> str:
    unknown = sorted(statement.attributes - set(known.attributes))
    return next((found for each in unknown if (found := _meant(each, known.attributes))), "")


def _meant(name: str, names: Collection[str]) -> str:
    close = get_close_matches(name, sorted(names), 1)
    return f"did you mean {close[0]}?" if close else ""


def _refusal(fault: str, field: str, value: str, remedy: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field=field, value=ascii(value[:80])[1:-1], remedy=remedy)
