"""The page of policies prints what the command prints."""

import json
import re
import shlex
from pathlib import Path

from tests.doubles.programs import finial, short_folder, up

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
CONSOLE = re.compile(r"^\$ finial (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def test_the_console_of_the_page_is_what_is_printed() -> None:
    """Each command under "Registering and changing", in turn, prints what the page shows."""
    text = PAGE.read_text()
    rule = text.partition("```json\n")[2].partition("```")[0]
    section = text.partition("## Registering and changing\n")[2].partition("\n## ")[0]
    console = section.partition("```\n")[2].partition("```")[0]
    orders, gateway, payment = (
        f"spiffe://example.org/{name}" for name in ("orders", "gateway", "payment")
    )
    seen = [
        {"caller": caller, "callee": payment, "method": "POST", "path": "/transaction/7"}
        for caller in (orders, gateway)
    ]
    with up() as world, short_folder() as folder:
        (folder / "orders.json").write_text(rule)
        (folder / "seen.jsonl").write_text("\n".join(map(json.dumps, seen)))
        for spiffe_id in (orders, gateway, payment):
            world.finial("entry", "create", spiffe_id, "--selector", "unix:uid:65533")
        said = ""
        for command, _ in CONSOLE.findall(console):
            line = shlex.split(command)
            here = [str(folder / each) if ".json" in each else each for each in line]
            done = finial(*here, "--dir", str(world.folder))
            said += f"$ finial {command}\n{done.stdout}{done.stderr}"
        assert said == console
