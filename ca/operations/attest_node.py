"""A node proves what it is and becomes an agent.

The order (spire-features 7.11): evidence, ban, CSR, draft, seal; then node, spent token, alias
entry and ledger in one transaction; then memory; then the audit; then the answer. A token is looked
at before anything is signed for it, and spent with everything else, so that a race has one winner
and a crash loses nothing.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attestors.contract import Address, Challenge, Consult, NodeVerifier, SpendToken, Verdict
from ca.datastore.join_tokens import Spending
from ca.events.happened import Actor, NodeAttested, SvidsIssued
from ca.issuance.profile import Role
from ca.issuance.request import CsrParts, judge_csr
from ca.operations.blocked import refuse_blocked_agent
from ca.operations.issuing.issue_other_svids import seal_leaf
from ca.operations.issuing.issue_svids import IssuedX509
from ca.operations.world import World
from ca.registry.entry import Entry
from ca.registry.join_token import JoinToken
from ca.registry.nodes.node import Node
from ca.registry.nodes.standing import judge_attestation
from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector
from finial.spiffe.well_known import agent_id
from finial.wire.join_proof import token_id

Converse = Callable[[bytes], Awaitable[bytes]]
CONSULT_SECONDS: Final = 20.0
UNUSABLE = "join token does not exist or has already been used"


@dataclass(frozen=True, slots=True)
class Attestation:
    """What opens an attestation: the attestor's name, its payload, a CSR for the agent's key."""

    type: str
    payload: bytes = field(repr=False)  # a join token is its own payload
    csr: bytes
    address: Address | None = None


@dataclass(frozen=True, slots=True)
class Attested:
    """A node that is now an agent, and its SVID."""

    node: Node
    svid: IssuedX509


@dataclass(frozen=True, slots=True)
class _Proven:
    verdict: Verdict
    token: JoinToken | None


async def attest_node(
    world: World, actor: Actor, attestation: Attestation, converse: Converse
) -> Attested:
    """Hold the attestor's conversation and make the node an agent.

    `converse` carries one challenge to the node and brings its response.

    Raises: Refusal of kind INVALID, DENIED, PRECONDITION (no such attestor), UNAVAILABLE.
    Spec: SPIRE BN-01 to BN-03, BR-06, 7.11.
    """
    verifier = _verifier(world, attestation.type)
    try:
        proven = await _prove(world, verifier, attestation, converse)
    except Refusal as refusal:
        raise _failed(refusal) from None
    agent = agent_id(world.trust_domain, proven.verdict.agent_path)
    csr = judge_csr(attestation.csr)
    key_hash = _key_hash(csr)
    _judge_return(world, agent, proven, key_hash)
    svid = await seal_leaf(world, Role.AGENT, agent, csr.public_key)
    node = Node(
        id=agent,
        attestation_type=attestation.type,
        serial_number=svid.issued.serial,
        expires_at=svid.issued.expires_at,
        selectors=tuple(sorted(set(proven.verdict.selectors))),
        can_reattest=proven.verdict.can_reattest,
        attested_at=int(world.clock.now()),
    )
    stored = await _store(world, node, svid, proven.token, key_hash)
    await world.follower.caught_up()
    world.record(NodeAttested(actor, stored), SvidsIssued(actor, (svid.issued,)))
    refuse_blocked_agent(world, agent, stored.selectors)
    return Attested(stored, svid)


async def _prove(
    world: World, verifier: NodeVerifier, attestation: Attestation, converse: Converse
) -> _Proven:
    token: JoinToken | None = None
    conversation = verifier.verify(attestation.payload, world.clock.now(), attestation.address)
    try:
        question = next(conversation)
        while True:
            match question:
                case Challenge(document):
                    response = await converse(document)
                case SpendToken(text):
                    token = await _look_at(world, text)
                    response = b""
                case Consult():
                    response = await _consult(world, question)
            question = conversation.send(response)
    except StopIteration as end:
        verdict: Verdict = end.value
        return _Proven(verdict, token)
    finally:
        conversation.close()


async def _consult(world: World, question: Consult) -> bytes:
    """Wait for the verifier's own platform, as long as a node's attestation may take for it.

    Raises: Refusal of kind UNAVAILABLE, and whatever the question refuses.
    """
    try:
        async with asyncio.timeout(CONSULT_SECONDS):
            return await question.ask()
    except TimeoutError:
        raise Refusal(
            Kind.UNAVAILABLE, f"{question.whom} did not answer within {CONSULT_SECONDS:g} s"
        ) from None


async def _look_at(world: World, text: str) -> JoinToken:
    token = await world.datastore.join_token(token_id(text))
    if token is None:
        raise Refusal(Kind.INVALID, UNUSABLE)
    return token


def _judge_return(world: World, agent: SpiffeId, proven: _Proven, key_hash: str) -> None:
    """Refuse a banned node, and evidence that was used up by an earlier attestation (7.12)."""
    known = world.known.nodes.get(agent)
    judge_attestation(known)
    refuse_blocked_agent(world, agent, proven.verdict.selectors)
    if proven.token is not None and proven.token.spent_by not in ("", key_hash):
        raise Refusal(Kind.INVALID, f"failed to attest: {UNUSABLE}")
    if known is not None and not proven.verdict.can_reattest and proven.token is None:
        raise Refusal(
            Kind.DENIED,
            "failed to attest: attestation data has already been used to attest an agent",
            remedy="evict the agent first",
        )


async def _store(
    world: World, node: Node, svid: IssuedX509, token: JoinToken | None, key_hash: str
) -> Node:
    spending = alias = None
    if token is not None:
        spending = Spending(token.id, key_hash)
        alias = _alias(world, node.id, token)
    try:
        return await world.datastore.attest_node(
            node, spend_token=spending, alias_entry=alias, issued=svid.issued
        )
    except Refusal as refusal:
        raise _failed(refusal) from None


def _alias(world: World, agent: SpiffeId, token: JoinToken) -> Entry | None:
    if token.alias is None:
        return None
    return Entry(
        id=world.entropy.uuid(),
        spiffe_id=token.alias,
        parent_id=agent,
        selectors=(Selector("spiffe_id", str(agent)),),
        created_at=int(world.clock.now()),
    )


def _key_hash(csr: CsrParts) -> str:
    spki = csr.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def _verifier(world: World, name: str) -> NodeVerifier:
    verifier = world.verifiers.get(name)
    if verifier is None:
        raise Refusal(
            Kind.PRECONDITION,
            f'error getting node attestor: could not find node attestor type "{name[:80]}"',
            field="data.type",
            value=name[:80],
        )
    return verifier


def _failed(refusal: Refusal) -> Refusal:
    if refusal.detail.startswith("failed to attest: "):
        return refusal
    return Refusal(
        refusal.kind,
        f"failed to attest: {refusal.detail}",
        field=refusal.field,
        reason=refusal.reason,
    )
