"""Each test of the layer runs over both HTTP/2 engines, in its own event loop."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from finial.wire.http2.engine import EngineName
from tests.doubles.ca import SmallCa
from tests.doubles.echo import Echo
from tests.doubles.tls_endpoint import Endpoint, bundle, identity, small_ca


@pytest.fixture(params=list(EngineName), ids=str)
def engine(request: pytest.FixtureRequest) -> EngineName:
    return EngineName(request.param)


@pytest.fixture
def run() -> Iterator[Callable[[Coroutine[Any, Any, None]], None]]:
    """Run a coroutine to its end; a test that hangs is ended after a minute."""
    with asyncio.Runner() as runner:

        def run_within(work: Coroutine[Any, Any, None]) -> None:
            async def bounded() -> None:
                async with asyncio.timeout(60):
                    await work

            runner.run(bounded())

        yield run_within


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "echo.sock"


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def ca() -> SmallCa:
    return small_ca()


@pytest.fixture
def endpoint(engine: EngineName, ca: SmallCa) -> Endpoint:
    return Endpoint(engine, identity(ca.workload("/spire/server")), (bundle(ca),))
