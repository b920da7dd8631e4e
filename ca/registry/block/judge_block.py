"""What may be blocked: a subject is read into its one spelling, or refused with the reason."""

import re
from typing import Final

from finial.blocks import Block, SubjectKind
from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.refusal import Kind, Reason, Refusal
from finial.spiffe.selector import Selector
from finial.spiffe.well_known import SERVER_PATH, is_agent

MAX_REASON: Final = 256
MAX_SUBJECT: Final = 2048
_HEX: Final = re.compile(r"(?:0x)?[0-9a-f]{1,40}", re.ASCII)
_DECIMAL: Final = re.compile(r"[0-9]{1,49}", re.ASCII)


def read_subject(
    kind: SubjectKind, text: str, trust_domain: TrustDomain
) -> tuple[SubjectKind, str]:
    """Read what is to be blocked; an agent's SPIFFE ID means the agent.

    A serial number is decimal, or hex with 0x, colons or letters, as other tools print it.

    Raises: Refusal of kind INVALID; PRECONDITION for the server's own ID.
    """
    text = text.strip()
    if not text or len(text) > MAX_SUBJECT or not text.isprintable():
        raise _invalid(f"what is blocked has 1 to {MAX_SUBJECT} printable characters", text)
    match kind:
        case SubjectKind.SPIFFE_ID | SubjectKind.AGENT:
            return _read_id(kind, text, trust_domain)
        case SubjectKind.SELECTOR:
            return kind, str(Selector.parse(text))
        case SubjectKind.SERIAL:
            return kind, _read_serial(text)
        case _:
            return kind, text


def judge_reason(reason: str) -> str:
    """Accept a reason: operators who meet the block are shown it.

    Raises: Refusal of kind INVALID.
    """
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON or not reason.isprintable():
        raise Refusal(
            Kind.INVALID,
            f"a reason has 1 to {MAX_REASON} printable characters",
            field="reason",
            remedy="say why, for operators who meet the block",
        )
    return reason


def judge_end(until: int, now: float) -> int:
    """Accept the end of a block, in Unix seconds, 0 for none.

    Raises: Refusal of kind INVALID when it is over already.
    """
    if until and until <= now:
        raise Refusal(Kind.INVALID, "the block would have ended already", field="until")
    return until


def refusal(block: Block, what: str, reason: Reason | None = None) -> Refusal:
    """Say no to whoever meets a block; `what` names it, such as `entry 1234`."""
    return Refusal(
        Kind.DENIED, f"{what} {block.sentence}", field="block", value=block.id, reason=reason
    )


def agent_refusal(block: Block, agent: SpiffeId) -> Refusal:
    """Say no to an agent that is blocked, in a way that it can tell from other denials."""
    return refusal(block, f'agent "{agent}"', Reason.AGENT_BLOCKED)


def serial_refusal(
    block: Block, serial: str, caller: SpiffeId, *, reattestable: bool = False
) -> Refusal:
    """Say no to whoever shows an X.509-SVID that is blocked; an agent may attest for another."""
    reason = Reason.AGENT_NOT_ACTIVE if reattestable else None
    return refusal(block, f'the X.509-SVID {serial} of "{caller}"', reason)


def _read_id(kind: SubjectKind, text: str, trust_domain: TrustDomain) -> tuple[SubjectKind, str]:
    spiffe_id = SpiffeId.parse(text)
    ours = spiffe_id.trust_domain == trust_domain
    if ours and spiffe_id.path == SERVER_PATH:
        raise Refusal(
            Kind.PRECONDITION,
            "the server's own ID cannot be blocked: no agent could reach it to be told otherwise",
            field="subject",
            value=text,
            remedy="if its key has leaked, begin with new authorities: see docs/threat-model.md",
        )
    if not spiffe_id.path:
        raise _invalid("this is a whole trust domain, not an identity", text)
    if ours and is_agent(spiffe_id):
        return SubjectKind.AGENT, text
    if kind is SubjectKind.AGENT:
        raise _invalid("this is not the SPIFFE ID of one of our agents", text)
    return kind, text


def _read_serial(text: str) -> str:
    if _DECIMAL.fullmatch(text):
        return str(int(text))
    bare = text.lower().replace(":", "")
    if not _HEX.fullmatch(bare):
        raise _invalid("a serial number is decimal or hex", text)
    return str(int(bare, 16))


def _invalid(fault: str, text: str) -> Refusal:
    return Refusal(Kind.INVALID, fault, field="subject", value=text[:80])
