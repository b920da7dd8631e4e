"""While an agent's SVID is replaced, denials of the former one are none of the new one's."""

from agent.membership.standing import Phase
from finial.spiffe.refusal import Kind, Reason, Refusal
from tests.doubles.running_agent import Scene
from tests.flows.agent_scenes import play

DENIED = Refusal(
    Kind.DENIED, "agent is expected to have another serial", reason=Reason.AGENT_MUST_REATTEST
)


def test_a_late_denial_of_the_former_svid_does_no_harm() -> None:
    """During an attestation only a ban counts; at other times a denial does (BR-05)."""

    async def act(played: Scene) -> None:
        async with played.agent(plugins=played.x509pop()) as agent:
            member = agent.parts.member
            with member.replacing():
                member.heed(DENIED)
                assert member.standing.value.phase is Phase.ATTESTED
            member.heed(DENIED)
            assert member.standing.value.phase is Phase.MUST_REATTEST

    play(act)


def test_a_ban_counts_at_any_time() -> None:
    """An agent that is banned while it attests is banned."""

    async def act(played: Scene) -> None:
        async with played.agent(plugins=played.x509pop()) as agent:
            member = agent.parts.member
            with member.replacing():
                member.told(Reason.AGENT_BANNED)
            assert member.standing.value.phase is Phase.BANNED

    play(act)
