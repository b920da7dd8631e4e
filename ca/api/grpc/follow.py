"""Our own services for agents: the stream that pushes changes, and the proven bundle."""

import asyncio
import logging
from typing import Final

from ca.api.grpc.caller import ServerCall, agent_of, expiry_of, judge_again, serial_of
from ca.api.grpc.rate_limits import Gates
from ca.operations.administration.administer_tokens import prove_bundle
from ca.operations.follow import ATTESTORS, greet, note_attestors, part
from ca.operations.following.questions import Answer
from ca.operations.following.streams import AgentStream, Changed, Heartbeat, Notice, Question
from ca.operations.world import World
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.service import Service, service
from finial.wire.pb import follow_pb2

_FOLLOW: Final = follow_pb2.DESCRIPTOR.services_by_name["Follow"]
_BOOTSTRAP: Final = follow_pb2.DESCRIPTOR.services_by_name["Bootstrap"]
_logger = logging.getLogger("finial.ca.follow")


def follow_service(world: World) -> Service:
    """Serve `finial.agent.v1.Follow`."""

    async def follow(call: ServerCall) -> None:
        first: follow_pb2.Up | None = await anext(call, None)
        if first is None or first.WhichOneof("message") != "hello":
            raise Refusal(Kind.INVALID, "the first message of the stream is not hello")
        # Until the stream is open, nobody ends it when its agent is cast out.
        judge_again(world, call)
        stream = world.streams.open(agent_of(call), expiry_of(call), serial_of(call))
        greet(world, stream, first.hello.versions, first.hello.capabilities)
        listening = asyncio.ensure_future(_listen(world, call, stream))
        try:
            while (notice := await stream.next()) is not None:
                await call.send(_down(notice, world.clock.now()))
        finally:
            part(world, stream)
            listening.cancel()

    return service(_FOLLOW, {"Follow": follow})


def bootstrap_service(world: World, gates: Gates) -> Service:
    """Serve `finial.agent.v1.Bootstrap`."""

    async def get_proven_bundle(
        call: ServerCall, request: follow_pb2.GetProvenBundleRequest
    ) -> follow_pb2.GetProvenBundleResponse:
        await gates.bootstrap.enter(call)
        document, proof = await prove_bundle(world, request.token_id, request.nonce)
        return follow_pb2.GetProvenBundleResponse(document=document, proof=proof)

    return service(_BOOTSTRAP, {"GetProvenBundle": get_proven_bundle})


async def _listen(world: World, call: ServerCall, stream: AgentStream) -> None:
    """Take what an agent says until it has said everything, which ends the stream in peace."""
    try:
        async for up in call:
            _hear(world, stream, up)
    except Refusal as refusal:
        stream.end(refusal)
    finally:
        # Whatever went wrong, an agent that is not listened to is not kept waiting.
        stream.end()


def _hear(world: World, stream: AgentStream, up: follow_pb2.Up) -> None:
    match up.WhichOneof("message"):
        case "applied":
            stream.note_applied(up.applied.topic, up.applied.version)
            world.streams.applied.set(up.applied.topic)
        case "answer":
            answer = Answer(up.answer.status, up.answer.payload)
            world.questions.answer(stream.agent, up.answer.id, answer)
        case "report" if up.report.kind == ATTESTORS:
            _hear_report(world, stream, up.report.payload)
        case other:
            # Later agents may say more than this server understands.
            _logger.debug("agent %s says %s, which means nothing here", stream.agent, other)


def _hear_report(world: World, stream: AgentStream, payload: bytes) -> None:
    try:
        note_attestors(world, stream, payload)
    except Refusal as refusal:
        _logger.debug("agent %s: %s", stream.agent, refusal)


def _down(notice: Notice, now: float) -> bytes:
    match notice:
        case Heartbeat():
            beat = follow_pb2.Heartbeat(sent_at_ms=int(now * 1000))
            return follow_pb2.Down(heartbeat=beat).SerializeToString()
        case Changed():
            return _changed(notice)
        case Question():
            deadline = int(notice.timeout * 1000)
            question = follow_pb2.Question(
                id=notice.id, kind=notice.kind, payload=notice.payload, deadline_ms=deadline
            )
            return follow_pb2.Down(question=question).SerializeToString()


def _changed(notice: Changed) -> bytes:
    changed = follow_pb2.Changed(
        topic=notice.topic, version=notice.version, ids=notice.ids, document=notice.document
    )
    return follow_pb2.Down(changed=changed).SerializeToString()
