"""The Unix socket of a server: its mode, and whose place it takes."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finial.spiffe.refusal import Kind, Refusal
from finial.wire.http2.engine import EngineName
from tests.doubles.echo import Echo, echo_server

Run = Callable[[Any], None]


def test_the_socket_has_exactly_its_mode(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """The socket's mode is what was asked for, and it goes when the server does (WEP-03)."""

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine):
            modes.append(stat.S_IMODE(os.stat(path).st_mode))

    modes: list[int] = []
    run(scene())
    assert modes == [0o600]
    assert not path.exists()


def test_a_dead_socket_is_replaced_and_a_living_one_is_not(
    run: Run, path: Path, echo: Echo, engine: EngineName
) -> None:
    """What a crashed server left behind is no obstacle; a running one is."""
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()

    async def scene() -> None:
        async with echo_server(path, echo, engine=engine):
            with pytest.raises(Refusal, match="listens on") as caught:
                async with echo_server(path, echo, engine=engine):
                    pass
            assert caught.value.kind is Kind.EXISTS

    run(scene())


def test_a_path_that_is_too_long_is_refused(run: Run, path: Path, echo: Echo) -> None:
    """The kernel's bound is named, where its own error would say nothing useful."""

    async def scene() -> None:
        with pytest.raises(Refusal, match="at most 107 bytes"):
            async with echo_server(path / ("x" * 100), echo):
                pass

    run(scene())


def test_a_file_is_not_taken_for_a_dead_socket(run: Run, path: Path, echo: Echo) -> None:
    """Nothing but a socket is ever removed to make room for ours."""
    path.write_text("precious")

    async def scene() -> None:
        with pytest.raises(Refusal, match="no socket"):
            async with echo_server(path, echo):
                pass

    run(scene())
    assert path.read_text() == "precious"
