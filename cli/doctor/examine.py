"""Looks at one program from outside and has it look at itself."""

from collections.abc import Iterator
from pathlib import Path

from cli.doctor.asking import ask_agent, ask_server, away, judge_from_outside
from cli.doctor.configuration import judge_agent_file, judge_server_file
from cli.doctor.sides import AgentSide, ServerSide
from cli.doctor.sockets import judge_socket
from finial.explain.checkup import ok
from finial.explain.diagnosis import Diagnosis
from finial.spiffe.refusal import Refusal


def examine_agent(side: AgentSide, timeout: float) -> Iterator[Diagnosis]:
    """Yield everything that is found about an agent."""
    config = side.config or Path("FILE")
    start = f"finial agent run --config {config}"
    if side.config is not None:
        yield from judge_agent_file(side.config)
    if side.settings is not None:
        workload = side.settings.workload_socket
        yield from judge_socket("workload socket", workload, everybody=True, start=start)
    yield from judge_socket("operator socket", side.socket, everybody=True, start=start)
    try:
        found = ask_agent(side.socket, timeout)
    except Refusal as refusal:
        yield away("agent", refusal, start)
        folders = (
            [side.settings.storage_dir, side.settings.audit_path.parent] if side.settings else []
        )
        yield from judge_from_outside(folders, of_agent=True)
        return
    yield ok("agent", f"it answers on {side.socket}")
    yield from found


def examine_server(side: ServerSide, timeout: float) -> Iterator[Diagnosis]:
    """Yield everything that is found about a server."""
    config = side.config or Path("FILE")
    start = f"finial ca run --config {config}"
    if side.config is not None:
        yield from judge_server_file(side.config)
    if side.place.socket is not None:
        yield from judge_socket("admin socket", side.place.socket, everybody=False, start=start)
        if side.settings is not None:
            local = side.settings.server_socket
            yield from judge_socket("server socket", local, everybody=False, start=start)
    try:
        found = ask_server(side.place, timeout)
    except Refusal as refusal:
        yield away("server", refusal, start)
        if side.settings is not None and side.place.socket is not None:
            folders = [side.settings.private_dir, side.settings.audit_path.parent]
            yield from judge_from_outside(folders, of_agent=False)
        return
    yield ok("server", f"it answers on {side.place.name}")
    yield from found
