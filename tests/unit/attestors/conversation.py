"""Holds a conversation between the two halves of a node attestor, without a network."""

from attestors.contract import (
    Address,
    Challenge,
    NodeEvidence,
    NodeVerifier,
    SpendToken,
    Verdict,
)


async def hold(
    evidence: NodeEvidence,
    verifier: NodeVerifier,
    now: float,
    *,
    address: Address | None = None,
    spent: list[str] | None = None,
) -> Verdict:
    """Carry every question to the evidence until there is a verdict; tokens are always good."""
    asking = verifier.verify(await evidence.payload(), now, address)
    try:
        question = next(asking)
        while True:
            match question:
                case Challenge(document):
                    answer = await evidence.respond(document)
                case SpendToken(token):
                    answer = b""
                    if spent is not None:
                        spent.append(token)
            question = asking.send(answer)
    except StopIteration as done:
        verdict: Verdict = done.value
        return verdict
