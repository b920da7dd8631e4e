"""Which of the agent's sockets the service manager has opened already."""

import os
import socket
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Final

from agent.api.listeners import EXT_AUTHZ, OPERATOR, WORKLOAD
from agent.settings import Agent
from finial.runtime.activation import NotActivated, PassedSocket, take_sockets
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.unix_socket import judge_listening

_UNITS: Final = "in the socket unit, correct FileDescriptorName= and ListenStream="


def take_activated(
    agent: Agent, environment: MutableMapping[str, str]
) -> Mapping[str, socket.socket]:
    """Return the sockets that were passed to us, by name, each judged by the settings.

    Raises: Refusal of kind INVALID (what was passed is not what the settings say), PRECONDITION (a
    kernel that cannot tell who connected while we were away).
    """
    try:
        passed = take_sockets(environment, os.getpid())
    except NotActivated as fault:
        raise Refusal(Kind.INVALID, f"socket activation: {fault}", remedy=_UNITS) from fault
    places = _places(agent)
    found: dict[str, socket.socket] = {}
    for each in passed:
        found[each.name] = _judged(each, places, found)
    if found:
        _judge_kernel()
    return found


def _places(agent: Agent) -> Mapping[str, Path]:
    places = {WORKLOAD: agent.workload_socket, OPERATOR: agent.admin_socket}
    http = agent.ext_authz.http_socket_path
    return places if http is None else {**places, EXT_AUTHZ: http}


def _judged(
    passed: PassedSocket, places: Mapping[str, Path], found: Mapping[str, socket.socket]
) -> socket.socket:
    name = passed.name[:64]
    if name not in places:
        known = ", ".join(places)
        fault = f"socket activation: a socket is named {name!r}, and these are known: {known}"
        raise Refusal(Kind.INVALID, fault, value=name, remedy=_UNITS)
    if name in found:
        fault = f"socket activation: two sockets are named {name!r}"
        raise Refusal(Kind.INVALID, fault, value=name, remedy=_UNITS)
    judge_listening(passed.socket, name, places[name])
    return passed.socket


def _judge_kernel() -> None:
    # By pid alone, whoever connected and ended while we were away may be taken for its successor.
    ours, other = socket.socketpair(socket.AF_UNIX)
    with ours, other:
        peer = KernelPeer.of(ours)
        peer.close()
    if peer.started is not None:
        raise Refusal(
            Kind.PRECONDITION,
            "socket activation needs Linux 6.5: this kernel cannot tell who connected while the "
            "agent was away",
            remedy="disable the socket unit; the agent then opens its sockets by itself",
        )
