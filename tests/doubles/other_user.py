"""Calling the Workload API as somebody else: a child of the test that gave its rights up."""

import asyncio
import multiprocessing
import os
from pathlib import Path
from typing import Any

from finial.spiffe.refusal import Refusal
from finial.wire.grpc.client import Channel, UnixAddress
from finial.wire.grpc.method import method
from finial.wire.pb import operator_pb2, workload_pb2

SERVICE = workload_pb2.DESCRIPTOR.services_by_name["SpiffeWorkloadAPI"]
METADATA = (("workload.spiffe.io", "true"),)


def ask_as(uid: int, socket: str, name: str = "FetchX509SVID", **fields: Any) -> Any:
    """The first answer of an RPC to a process of that uid and gid, or the kind of its refusal."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(uid, socket, name, fields, sending))
    child.start()
    sending.close()
    try:
        kind, document = receiving.recv()
    finally:
        child.join(20)
    if kind is not None:
        return kind
    return method(SERVICE, name).response.FromString(document)


def _child(uid: int, socket: str, name: str, fields: dict[str, Any], sending: Any) -> None:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    try:
        sending.send((None, asyncio.run(_first(socket, name, fields))))
    except Refusal as refusal:
        sending.send((refusal.kind, b""))
    finally:
        sending.close()


async def _first(socket: str, name: str, fields: dict[str, Any]) -> bytes:
    found = method(SERVICE, name)
    channel = Channel(UnixAddress(Path(socket)))
    try:
        async with channel.stream(found, metadata=METADATA, timeout=10.0) as stream:
            await stream.send(found.request(**fields))
            await stream.end()
            answer = await stream.receive()
            document: bytes = answer.SerializeToString()
            return document
    finally:
        await channel.close()


def ask_before_and_after_becoming(uid: int, socket: str) -> list[str]:
    """What one connection is told to its stream as it is, and again after a change of user."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_changing_child, args=(uid, socket, sending))
    child.start()
    sending.close()
    try:
        told: list[str] = receiving.recv()
        return told
    finally:
        child.join(20)


def _changing_child(uid: int, socket: str, sending: Any) -> None:
    found = method(SERVICE, "FetchX509SVID")

    async def ask() -> list[str]:
        channel, told = Channel(UnixAddress(Path(socket))), []
        for change in (lambda: None, lambda: os.setuid(uid)):
            change()
            try:
                async with channel.stream(found, metadata=METADATA, timeout=10.0) as stream:
                    await stream.send(found.request())
                    await stream.end()
                    await stream.receive()
                    told.append("served")
            except Refusal as refusal:
                told.append(str(refusal))
        await channel.close()
        return told

    sending.send(asyncio.run(ask()))


def ask_operator_as(uid: int, socket: str, name: str, request: Any) -> Any:
    """The answer of the operators' socket to a process of that uid, or the kind of its refusal."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_operator_child, args=(uid, socket, name, request, sending))
    child.start()
    sending.close()
    try:
        return receiving.recv()
    finally:
        child.join(20)


def _operator_child(uid: int, socket: str, name: str, request: Any, sending: Any) -> None:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)

    async def ask() -> None:
        channel = Channel(UnixAddress(Path(socket)))
        found = method(operator_pb2.DESCRIPTOR.services_by_name["Operator"], name)
        try:
            answer = await channel.unary(found, request, timeout=10.0)
            sending.send(answer.SerializeToString())
        except Refusal as refusal:
            sending.send(refusal.kind)
        finally:
            await channel.close()

    asyncio.run(ask())


def ask_status_as(uid: int, socket: str) -> operator_pb2.Status:
    """What the operators' socket tells a process of that uid."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_status_child, args=(uid, socket, sending))
    child.start()
    sending.close()
    try:
        return operator_pb2.Status.FromString(receiving.recv())
    finally:
        child.join(20)


def _status_child(uid: int, socket: str, sending: Any) -> None:
    if uid:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    sending.send(asyncio.run(_status(socket)))


async def _status(socket: str) -> bytes:
    found = method(operator_pb2.DESCRIPTOR.services_by_name["Operator"], "GetStatus")
    channel = Channel(UnixAddress(Path(socket)))
    try:
        answer = await channel.unary(found, found.request(), timeout=10.0)
        document: bytes = answer.SerializeToString()
        return document
    finally:
        await channel.close()
