"""A process that writes is killed, over and over."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from ca.datastore.datastore import Datastore
from ca.datastore.ledger import IssuedFilter
from tests.doubles.datastore import opened

ROUNDS = 25
ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Acknowledged = dict[str, set[str]]


def run_and_kill(folder: Path, round_: int, acknowledged: Acknowledged) -> None:
    """Let the writer acknowledge a number of things, another one each round, and kill it."""
    command = [sys.executable, "-m", "tests.doubles.restless_writer", str(folder), str(round_)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        limit = 3 + round_ * 37 % 400
        for number, line in enumerate(process.stdout):
            if number == limit:
                process.send_signal(signal.SIGKILL)
            if line.endswith(b"\n"):
                word, name = line.decode().split()
                acknowledged[word].add(name)
        assert process.wait() == -signal.SIGKILL


async def judge(folder: Path, acknowledged: Acknowledged) -> None:
    async with opened(folder) as datastore:
        ids = [each.id for each in await datastore.load_entries()]
        assert len(set(ids)) == len(ids)
        assert acknowledged["entry"] - acknowledged["deleting"] - set(ids) == set()
        assert acknowledged["deleted"] & set(ids) == set()
        nodes = {each.id.path.rpartition("/")[2] for each in await datastore.load_nodes()}
        assert acknowledged["node"] <= nodes
        spent = {each.id for each in await datastore.list_join_tokens() if each.spent_by}
        assert acknowledged["spent"] <= spent
        await judge_authorities(datastore, max(map(int, acknowledged["bundle"]), default=0))
        await judge_ledger(datastore, acknowledged["svid"], nodes)


async def judge_authorities(datastore: Datastore, acknowledged: int) -> None:
    bundle = await datastore.bundle()
    slots = await datastore.load_keyring("one")
    assert (bundle.sequence if bundle else 0) >= acknowledged
    # The keyring and the bundle that publishes it are one act.
    published = [bundle.x509_authorities[-1].der] if bundle else []
    assert [slot.authority_id.encode() for slot in slots] == published


async def judge_ledger(datastore: Datastore, acknowledged: set[str], nodes: set[str]) -> None:
    page = await datastore.list_issued(IssuedFilter())
    serials = [each.serial for each in page.items]
    while page.next_page_token:
        page = await datastore.list_issued(IssuedFilter(), page_token=page.next_page_token)
        serials += [each.serial for each in page.items]
    assert len(set(serials)) == len(serials)
    assert acknowledged <= set(serials)
    # A node and its SVID are one act: neither is there without the other.
    assert {each.removesuffix("-node") for each in serials if each.endswith("-node")} == nodes


def test_what_was_acknowledged_survives_any_kill(tmp_path: Path) -> None:
    """Whenever the writer is killed, everything acknowledged is there, and nothing twice."""
    acknowledged: Acknowledged = defaultdict(set)
    for round_ in range(ROUNDS):
        run_and_kill(tmp_path, round_, acknowledged)
        asyncio.run(judge(tmp_path, acknowledged))
    with closing(sqlite3.connect(tmp_path / "ca.sqlite")) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
        sequences = [row[0] for row in plain.execute("SELECT sequence FROM changes ORDER BY 1")]
        assert sequences == list(range(1, len(sequences) + 1))
