"""Asking both programs what they find themselves, and saying so when one is away."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from cli.doctor.configuration import AS_ROOT, DENIED
from cli.place import Place
from finial.explain.checkup import failed, judge_room
from finial.explain.diagnosis import Diagnosis, Health
from finial.runtime.kernel import probe_kernel, rooms_of
from finial.spiffe.refusal import Kind, Refusal

MOST: Final = 500


def ask_agent(socket: Path, timeout: float) -> list[Diagnosis]:
    """Have the agent diagnose itself.

    Raises: Refusal.
    """
    from finial.wire.grpc.client import Channel, UnixAddress
    from finial.wire.grpc.method import method
    from finial.wire.pb import operator_pb2

    rpc = method(operator_pb2.DESCRIPTOR.services_by_name["Operator"], "Diagnose")

    async def ask() -> Any:
        channel = Channel(UnixAddress(socket))
        try:
            return await channel.unary(rpc, rpc.request(), timeout=timeout)
        finally:
            await channel.close()

    return _decoded(asyncio.run(ask()).document)


def ask_server(place: Place, timeout: float) -> list[Diagnosis]:
    """Have the server diagnose itself.

    Raises: Refusal.
    """
    from cli.administration import Administration

    with Administration(place, timeout) as server:
        found = server.get("/v1/doctor")
    return _decoded(msgspec.json.encode(found.get("checks", [])))


def away(check: str, refusal: Refusal, start: str) -> Diagnosis:
    """Say that a program does not answer, and why."""
    if refusal.kind in (Kind.DENIED, Kind.UNAUTHENTICATED):
        return failed(check, f"it does not say how it is: {refusal.detail}", refusal.remedy)
    if refusal.kind in (Kind.UNIMPLEMENTED, Kind.NOT_FOUND):
        return Diagnosis(
            check=check,
            health=Health.WARNING,
            detail="it answers, and is too old to diagnose itself",
            remedy="upgrade it",
        )
    remedy = AS_ROOT if DENIED in refusal.detail else f"is it running? {start}"
    return failed(check, f"it does not answer: {refusal.detail}", remedy)


def judge_from_outside(folders: list[Path], *, of_agent: bool) -> Iterator[Diagnosis]:
    """Judge what a program that is away would have found: disks, and an agent's kernel."""
    try:
        for place, room in rooms_of(folders):
            yield judge_room("disk", str(place), room.free, room.files)
    except OSError as fault:
        remedy = AS_ROOT if isinstance(fault, PermissionError) else ""
        yield failed("disk", f"{fault.filename}: {fault.strerror}", remedy)
    if of_agent:
        from agent.operations.diagnosing.node import judge_kernel

        # What may be looked at depends on the agent's rights, not on those of this command.
        yield from (each for each in judge_kernel(probe_kernel()) if each.check != "proc")


def _decoded(document: bytes) -> list[Diagnosis]:
    try:
        return msgspec.json.decode(document, type=list[Diagnosis])[:MOST]
    except msgspec.DecodeError as fault:
        raise Refusal(Kind.INTERNAL, f"what it answers is no diagnosis: {fault}") from fault
