"""Reading the test vectors: each an input, a verdict and a reason."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "vectors"


def vectors(name: str) -> list[dict[str, Any]]:
    """All vectors of one file, such as `spiffe_id`."""
    found: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def title(vector: dict[str, Any]) -> str:
    """What a test run calls a vector."""
    return ascii(vector.get("name", vector.get("input")))[1:60]
