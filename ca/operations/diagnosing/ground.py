"""What the server stands on: its database, disks, audit log and descriptors."""

from pathlib import Path
from typing import Final

from ca.operations.world import World
from ca.settings import Server
from finial.explain.checkup import (
    failed,
    judge_audit_log,
    judge_descriptors,
    judge_room,
    ok,
    warning,
)
from finial.explain.diagnosis import Diagnosis
from finial.runtime.kernel import open_descriptors, rooms_of
from finial.spiffe.refusal import Refusal

DATABASE: Final = "database"
SLOW: Final = 1.0
_SQLITE: Final = "sqlite:///"


async def judge_database(world: World) -> Diagnosis:
    """Whether it takes a write, how fast, and whether memory has followed it."""
    try:
        seconds = await world.datastore.probe()
        await world.follower.caught_up()
        newest = await world.datastore.latest_sequence()
    except Refusal as refusal:
        remedy = refusal.remedy or "see that its disk is well, has room and is not read-only"
        return failed(DATABASE, f"it cannot be written: {refusal.detail}", remedy)
    took = f"a write was durable after {seconds * 1000:.0f} ms"
    if world.known.sequence < newest:
        behind = newest - world.known.sequence
        return failed(DATABASE, f"{took}, but this server's memory is {behind} changes behind")
    if seconds > SLOW:
        return warning(DATABASE, took, "see what else keeps the disk busy")
    return ok(DATABASE, took)


def diagnose_ground(world: World) -> tuple[Diagnosis, ...]:
    """Look at disks, audit log and descriptors; for a thread, because disks may hang."""
    server = world.settings.server
    audit = server.audit_path
    fault = ""
    try:
        world.journal.check()
    except Refusal as refusal:
        fault = refusal.remedy or refusal.detail
    rooms = rooms_of((server.private_dir, database_folder(server), audit.parent))
    return (
        *(judge_room("disk", str(place), room.free, room.files) for place, room in rooms),
        judge_audit_log("audit log", str(audit), fault, exists=audit.exists()),
        judge_descriptors("open files", *open_descriptors()),
    )


def database_folder(server: Server) -> Path:
    """Where the database's file lies; one without a file of ours counts as the server's folder."""
    url = server.database
    if not url.startswith(_SQLITE):
        return server.private_dir
    return Path(url.removeprefix(_SQLITE).partition("?")[0]).parent
