"""From a denial to the document that explains it to the operator."""

from collections.abc import Iterator

import msgspec

from agent.access.caller import Means
from agent.access.denials import Denial
from agent.access.held_policies import HeldPolicies
from agent.access.reasons import Obstacle
from agent.access.verdict import Verdict
from finial.explain.explanation import Explanation, Fix, Outcome, ProcessReport
from finial.explain.shell import quote
from finial.policy.grounds import Ground

METHOD = "Check"
_MEANS = {
    Means.MTLS: "by its certificate",
    Means.FORWARDED: "by the certificate that a named proxy saw",
    Means.JWT: "by its JWT-SVID",
}


def explain_denial(denial: Denial, held: HeldPolicies | None, agent_id: str) -> Explanation:
    """Say who was denied what, why, and which rules are about both of them."""
    return msgspec.structs.replace(
        denial_summary(denial, agent_id),
        causes=tuple(_causes(denial.verdict, held)),
        fixes=tuple(_fixes(denial.verdict)),
    )


def denial_summary(denial: Denial, agent_id: str) -> Explanation:
    """A line of a list: the proxy's process, who was denied what, and the id."""
    asker, verdict = denial.asker, denial.verdict
    who, whom = verdict.caller.id or "nobody known", verdict.callee or "no callee"
    return Explanation(
        agent_id=agent_id,
        process=ProcessReport(pid=asker.pid, uid=asker.uid, gid=asker.gid, exe=asker.exe),
        outcome=Outcome.REFUSED,
        first_at=denial.first_at,
        last_at=denial.last_at,
        count=denial.count,
        method=METHOD,
        reason=f"{verdict.reason.value}: {who} at {whom}",
        refusal=denial.id,
    )


def _causes(verdict: Verdict, held: HeldPolicies | None) -> Iterator[str]:
    caller = verdict.caller
    who = f"{caller.id} ({_MEANS[caller.means]})" if caller.id else "a caller without an identity"
    if caller.through:
        who += f", through {', '.join(map(str, caller.through))},"
    whom = verdict.callee or "a callee that is not known"
    yield f"{who} was denied {verdict.method} {verdict.path} at {whom}: {verdict.reason.sentence}"
    if verdict.because:
        yield verdict.because
    if verdict.by:
        yield f"it is forbidden by {_listed(verdict.by)}"
    if verdict.reason is not Ground.NO_RULE or held is None:
        return
    assert caller.id is not None
    assert verdict.callee is not None
    about = tuple(each.name for each in held.rules.about(caller.id, verdict.callee))
    version = f"version {held.rules.version} of the rules"
    if about:
        yield f"in {version}, {_listed(about)} may be about both, and none allows this request"
    else:
        yield f"in {version}, no rule is about this caller and this callee"


def _fixes(verdict: Verdict) -> Iterator[Fix]:
    match verdict.reason:
        case Ground.NO_RULE:
            yield Fix(
                what="see what keeps each policy from matching; register a rule if it is meant",
                command=f"finial policy explain {_request(verdict)}",
            )
        case Ground.UNKNOWN_CALLEE:
            yield Fix(
                what="give the callee a mode: open, shadow or enforce",
                command=f"finial policy mode {verdict.callee} shadow",
            )
        case Obstacle.CALLEE_UNNAMED | Obstacle.CALLEE_NOT_YOURS:
            yield Fix(what="name one of the proxy's own identities in its context_extensions")
        case Obstacle.NO_CALLEE:
            yield Fix(what="register an entry whose selectors the proxy's process has")
        case Obstacle.FOREIGN_TRUST_DOMAIN:
            yield Fix(what=f"let the entry of {verdict.callee} federate with the caller's domain")


def _request(verdict: Verdict) -> str:
    # The rest comes from whoever called, and an operator may paste it into a shell.
    method, path = quote(verdict.method), quote(verdict.path)
    return f"{verdict.caller.id} {verdict.callee} {method} {path}"


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(f'"{each}"' for each in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
