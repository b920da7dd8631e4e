"""What an explanation must never show, in a real container with a real agent and server."""

import pytest

from tests.conftest import Requirements
from tests.e2e.explained.containers import fetch, run, with_engine
from tests.e2e.explained.stage import refusal_id, stage

pytestmark = [pytest.mark.root, pytest.mark.slow]

FOUND, WANTED = "found-s3cret", "wanted-s3cret"
ESCAPE = "\x1b]0;owned\x07"


def test_secrets_and_escapes_are_kept_out(require: Requirements) -> None:
    """Values of an environment are nowhere, a label's escapes for terminals are spelled out."""
    with stage(require) as made:
        engine = with_engine(made, env=["TOKEN"])
        made.entry("/web", f"docker:env:TOKEN={WANTED}", "docker:label:app:web")
        container = run(made, engine, labels={"app": f"w{ESCAPE}"}, env={"TOKEN": FOUND})
        refused = fetch(made, container)
        name = refusal_id(refused)
        said = [
            refused,
            made.type(f"finial explain --refusal {name}"),
            made.type(f"finial explain --refusal {name} --output json"),
            made.type(f"finial explain --refusal {name} --agent {made.agent_id()}"),
            made.type(f"finial simulate --pid {container.pid}"),
            made.type("finial explain --last-refusals"),
            made.type(f"finial entry create --for-pid {container.pid}"),
        ]
        assert "docker:env:TOKEN=(hidden)" in said[1]
        assert "spiffe://example.org/web" in said[1]
        written = "".join(
            path.read_text(errors="replace")
            for path in (made.folder / "d" / "private").rglob("*audit.log")
        )
        for text in (*said, written):
            assert FOUND not in text
            assert "\x1b" not in text
            assert "\x07" not in text
        for text in said:
            assert WANTED not in text
