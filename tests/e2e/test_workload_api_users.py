"""The Workload API of real programs, called by different users, through changes and restarts."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest

from finial.spiffe.refusal import Kind
from tests.doubles.other_user import ask_as, ask_status_as
from tests.doubles.programs import Up, eventually, up
from tests.doubles.workload import Subscriber, fetch, refusal_of, x509_stream

ALICE, BOB, NOBODY = 41_001, 41_002, 41_003


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    """A server and an agent, and an identity for each of two users."""
    with up("--no-rate-limits") as running:
        running.register("/alice", f"unix:uid:{ALICE}")
        running.register("/bob", f"unix:uid:{BOB}")
        running.register("/tests", f"unix:uid:{os.geteuid()}")
        eventually(lambda: _ids(running, ALICE), what="alice's identity")
        yield running


def _ids(running: Up, uid: int) -> list[str]:
    answer = ask_as(uid, running["workload_socket"])
    return [] if isinstance(answer, Kind) else [each.spiffe_id for each in answer.svids]


@pytest.mark.root
def test_two_users_get_different_identities(world: Up) -> None:
    """WEP-13, WEP-14, WAPI-06: each uid gets its own SVID and never the other's."""
    for _ in range(3):
        assert _ids(world, ALICE) == ["spiffe://example.org/alice"]
        assert _ids(world, BOB) == ["spiffe://example.org/bob"]


@pytest.mark.root
def test_a_user_without_an_entry_gets_nothing(world: Up) -> None:
    """WEP-17, WAPI-27, WAPI-30, WAPI-36: PermissionDenied for everything that needs an identity."""
    socket = world["workload_socket"]
    for name in ("FetchX509SVID", "FetchX509Bundles", "FetchJWTBundles"):
        assert ask_as(NOBODY, socket, name) is Kind.DENIED
    assert ask_as(NOBODY, socket, "FetchJWTSVID", audience=["a"]) is Kind.DENIED


@pytest.mark.root
def test_one_users_token_is_not_anothers(world: Up) -> None:
    """WAPI-33, WAPI-36: a token is for the caller's own ID, and another's ID is denied."""
    socket = world["workload_socket"]
    answer = ask_as(ALICE, socket, "FetchJWTSVID", audience=["a"])
    assert [each.spiffe_id for each in answer.svids] == ["spiffe://example.org/alice"]
    wanted = {"audience": ["a"], "spiffe_id": "spiffe://example.org/bob"}
    assert ask_as(ALICE, socket, "FetchJWTSVID", **wanted) is Kind.DENIED


@pytest.mark.root
def test_the_operators_socket_tells_strangers_nothing_secret(world: Up) -> None:
    """Everybody may ask whether the agent works; who it is, only root and the agent's uid."""
    assert ask_status_as(0, world["agent_socket"]).agent_id == world["agent_id"]
    public = ask_status_as(NOBODY, world["agent_socket"])
    assert public.synced
    assert public.trust_domain == "example.org"
    assert (public.agent_id, public.svid_serial, public.entries) == ("", "", 0)


def test_an_entry_deleted_while_a_stream_is_open_ends_it(world: Up) -> None:
    """WAPI-28, WAPI-56: the stream of a caller that loses its only identity is denied at once."""
    made = world.register("/brief", f"unix:uid:{os.geteuid()}", hint="brief")
    socket = Path(world["workload_socket"])
    entries = world.finial("entry", "list")["items"]
    mine = [each for each in entries if each["selectors"] == [f"unix:uid:{os.geteuid()}"]]
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        stream = x509_stream(channel, timeout=30)
        eventually(lambda: len(next(stream).svids) == len(mine), what="both identities")
        world.finial("entry", "delete", made["id"])
        assert [each.spiffe_id for each in next(stream).svids] == ["spiffe://example.org/tests"]
        [last] = [each for each in mine if each["spiffe_id"].endswith("/tests")]
        world.finial("entry", "delete", last["id"])
        code, _ = refusal_of(lambda: next(stream))
        assert code is grpc.StatusCode.PERMISSION_DENIED
    world.register("/tests", f"unix:uid:{os.geteuid()}")
    eventually(lambda: refusal_of(lambda: fetch(socket))[0] is grpc.StatusCode.OK)


def test_a_new_entry_is_in_an_open_stream_within_moments(world: Up) -> None:
    """WAPI-10: from registration to the SVID in an open stream it takes far less than a second."""
    with Subscriber(Path(world["workload_socket"])).open() as subscriber:
        eventually(lambda: subscriber.received)
        begun = time.monotonic()
        made = world.register("/quick", f"unix:uid:{os.geteuid()}")
        eventually(lambda: any(i.endswith("/quick") for i, _ in subscriber.received))
        assert time.monotonic() - begun < 5
        world.finial("entry", "delete", made["id"])


def test_a_stopped_process_cannot_be_dumped(world: Up) -> None:
    """Others of the agent's uid can neither trace it nor read its memory."""
    status = Path(f"/proc/{world['agent_pid']}/status").read_text()
    assert "TracerPid:\t0" in status
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            Path(f"/proc/{world['agent_pid']}/mem").read_bytes()
    limits = psutil.Process(world["agent_pid"]).rlimit(psutil.RLIMIT_CORE)
    assert limits == (0, 0)


def test_the_agent_is_light(world: Up) -> None:
    """The agent's process has loaded neither FastAPI nor SQLAlchemy."""
    maps = Path(f"/proc/{world['agent_pid']}/maps").read_text()
    assert "sqlalchemy" not in maps
    assert "pydantic_core" not in maps


def test_what_was_given_to_whom_is_in_the_audit_log(world: Up) -> None:
    """Each issuance and each refusal is a line that says who and what, and holds no secret."""
    fetch(Path(world["workload_socket"]))
    lines = (world.folder / "private" / "agent-audit.log").read_text().splitlines()
    kinds = {json.loads(line)["kind"] for line in lines}
    assert {"node_attested", "svid_received", "workload_served"} <= kinds
    assert not any("PRIVATE KEY" in line for line in lines)


def test_a_killed_agent_is_the_same_afterwards(world: Up) -> None:
    """Killed with -9 the agent comes back as the same agent, without attesting again."""
    before = (world.folder / "private" / "agent" / "agent.json").read_bytes()
    os.kill(world["agent_pid"], signal.SIGKILL)
    socket = Path(world["workload_socket"])
    eventually(lambda: refusal_of(lambda: fetch(socket))[0] is grpc.StatusCode.OK)
    assert (world.folder / "private" / "agent" / "agent.json").read_bytes() == before
