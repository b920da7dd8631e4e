"""Writes the OpenAPI document that is committed: `python -m ca.api.rest.describe`."""

import json
from pathlib import Path

from ca.api.rest.application import describe

PLACE = Path(__file__).parents[3] / "docs" / "openapi.json"


def main() -> None:
    """Write the document where it is committed."""
    PLACE.write_text(json.dumps(describe(), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
