"""The server asks an agent why, over the stream of changes."""

import json
import os
from typing import Any

from finial.explain.explanation import Outcome, decode_explanation
from finial.wire.status import Code
from tests.doubles.running_agent import Scene, until
from tests.flows.agent_explanations import id_of
from tests.flows.agent_scenes import play, refused


def test_the_server_is_told_which_attestors_run() -> None:
    """After its hello an agent reports its attestors and their selectors' forms."""

    async def act(played: Scene) -> None:
        async with played.agent():
            assert "explain" in played.server.hellos[0].capabilities
            await until(lambda: bool(played.server.ups))
            report = played.server.ups[0].report
            assert report.kind == "attestors"
            assert "uid" in json.loads(report.payload)["attestors"]["unix"]

    play(act)


def test_the_server_asks_over_the_stream() -> None:
    """An explanation travels up; what cannot be answered is declined with a status."""

    async def act(played: Scene) -> None:
        async with played.agent() as agent:
            told = await refused(agent.fetch())
            questions: dict[str, tuple[str, bytes]] = {
                "a": ("explain", json.dumps({"refusal": id_of(told)}).encode()),
                "b": ("explain", json.dumps({"simulate_pid": os.getpid()}).encode()),
                "c": ("explain", json.dumps({"pid": os.getpid()}).encode()),
                "d": ("explain", b'{"pid": 2000000000}'),
                "e": ("explain", b"[" * 5000),
                "f": ("explain", b'{"pid": true}'),
                "g": ("explain", b'{"pid": 1, "refusal": "x"}'),
                "h": ("tell me a story", b""),
                "i": ("explain", b"nonsense"),
            }
            for id_, (kind, payload) in questions.items():
                played.server.ask(kind, payload, id_, 3000)
                await until(lambda id_=id_: id_ in answers(played))
            found = answers(played)
            codes = {id_: Code(answer.status) for id_, answer in found.items()}
            assert {id_: codes[id_] for id_ in "abc"} == dict.fromkeys("abc", Code.OK)
            assert (codes["d"], codes["h"]) == (Code.NOT_FOUND, Code.UNIMPLEMENTED)
            assert {codes[id_] for id_ in "efgi"} == {Code.INVALID_ARGUMENT}
            assert decode_explanation(found["a"].payload).refusal == id_of(told)
            assert decode_explanation(found["b"].payload).outcome is Outcome.WOULD_BE_REFUSED

    play(act)


def answers(played: Scene) -> dict[str, Any]:
    return {
        up.answer.id: up.answer for up in played.server.ups if up.WhichOneof("message") == "answer"
    }
