"""Whether the engines that are configured answer."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from attestors.workload.docker.documents import EngineAway
from attestors.workload.docker.grammar import NAME
from attestors.workload.docker.settings import DOCKER_SOCKET, PODMAN_SOCKET
from finial.explain.diagnosis import Diagnosis, Health

if TYPE_CHECKING:
    from attestors.workload.docker.engine import Engine

_CHECK: Final = f"attestor {NAME}"
_REMEDY: Final = (
    "start the engine, or set docker_socket_path, podman_socket_path or podman_sockets "
    'to the socket of the one that runs, and to "" for none'
)


async def diagnose(engines: "Sequence[Engine]", deadline: float) -> list[Diagnosis]:
    """Ask each for its version; one that is missing matters less while another answers."""
    if not engines:
        return [
            Diagnosis(check=_CHECK, health=Health.FAILED, detail="no engine is set", remedy=_REMEDY)
        ]
    found = [(each, *await _asked(each, deadline)) for each in engines]
    one_answers = any(answers for _, answers, _ in found)
    # Few machines have both of root's engines, whose sockets are set unless somebody clears them.
    found = [each for each in found if not (one_answers and _is_absent(each[0]))]
    away = Health.WARNING if one_answers else Health.FAILED
    return [
        Diagnosis(
            check=f"{_CHECK}: {engine.name}",
            health=Health.OK if answers else away,
            detail=detail,
            remedy="" if answers else _REMEDY,
        )
        for engine, answers, detail in found
    ]


def _is_absent(engine: "Engine") -> bool:
    return engine.path in (DOCKER_SOCKET, PODMAN_SOCKET) and not os.path.lexists(engine.path)


async def _asked(engine: "Engine", deadline: float) -> tuple[bool, str]:
    try:
        version = await engine.version(deadline)
    except EngineAway as away:
        return False, str(away)
    named = f"version {version.version}, API {version.api_version}"
    return True, f"{engine.name} at {engine.path} answers: {named}"
