"""What an agent's diagnosis says of blocks."""

from dataclasses import replace

from agent.cache.entitlement import Entitlements
from agent.cache.view import Holdings
from agent.operations.diagnosing.blocks import judge_blocks
from agent.operations.enforce_blocks import BLOCKS
from agent.operations.link import Link
from finial.blocks import Block, Blocks, BlocksDocument, SubjectKind
from finial.explain.diagnosis import Health
from finial.spiffe.refusal import Kind, Refusal
from tests.doubles.blocked import blocks
from tests.doubles.clock import NOW
from tests.doubles.entitlements import TRUST_DOMAIN, entitlement

HELD = Holdings(TRUST_DOMAIN, Entitlements([entitlement("web")]), synced=True)
BLOCKED = replace(HELD, blocks=blocks(version=5, entries="web"))
AGENT = "spiffe://example.org/spire/agent/a"


def test_what_is_in_force_is_well() -> None:
    """With its version and what it withholds here; a server that has none says nothing."""
    found = judge_blocks(BLOCKED, Link(), NOW)
    assert found.health is Health.OK
    assert found.detail == "1 block, version 5; 1 entry of this node withheld"
    lifted = replace(HELD, blocks=Blocks(BlocksDocument(version=6)))
    assert judge_blocks(lifted, Link(), NOW).detail == "nothing is blocked, by version 6"
    assert judge_blocks(HELD, Link(), NOW).detail == "the server has not said that anything is"


def test_a_document_that_is_not_kept_is_a_failure() -> None:
    """What the server said last is not in force, or would not be after a restart."""
    link = Link()
    link.failed(BLOCKS, Refusal(Kind.UNAVAILABLE, "no space left"), NOW - 60)
    found = judge_blocks(BLOCKED, link, NOW)
    assert found.health is Health.FAILED
    assert found.detail.endswith("for 1 min: no space left")


def test_a_shortened_document_is_a_warning() -> None:
    """Some tokens cannot be told from others then."""
    short = replace(HELD, blocks=blocks(entries="web", shortened=True))
    assert judge_blocks(short, Link(), NOW).health is Health.WARNING


def test_a_blocked_agent_is_a_failure() -> None:
    """Nobody is served, for the reason that the server gives, if it gave one."""
    for reason in ("stolen", ""):
        own = Block("", SubjectKind.AGENT, AGENT, reason, int(NOW) - 60)
        found = judge_blocks(replace(HELD, lockout=own), Link(), NOW)
        assert found.health is Health.FAILED
        assert found.detail.endswith(": stolen" if reason else "and serves nobody")
        assert f"finial unblock {AGENT}" in found.remedy
