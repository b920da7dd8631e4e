"""Reports about units, in a real systemd that is process 1 of its own namespaces."""

from tests.doubles.programs import ROOT
from tests.doubles.systemd import Systemd, needs_systemd, systemd
from tests.e2e.explained.situation import situation
from tests.e2e.explained.stage import OPERATOR, Said, Stage
from tests.e2e.test_systemd import (
    ALICE,
    BOTH,
    CLI,
    manager_of_alice,
    pid_of_alice,
    start_as_alice,
    up_inside,
)


def type_inside(stage: Stage, booted: Systemd, command: str) -> Said:
    """Run a line of an operator where that systemd is."""
    line = (*CLI, *command.split()[1:], "--dir=/mnt/d")
    done = booted.attempt("env", f"PYTHONPATH={ROOT}", *line)
    return stage.note(OPERATOR, command, done.stdout + done.stderr, done.returncode)


@situation("spiffe/spire#2031", "spiffe/spire#4058")
def name_that_a_user_chose(stage: Stage) -> None:
    """A user calls a unit of their own like one of the system's

    Whether somebody without rights can pass for another unit was asked when systemd's attestor was
    proposed. Users name the units of their own manager as they like, so that those are
    `systemd:user_unit` with the uid, and the explanation says which one it is.
    """
    needs_systemd(stage.require)
    booted = stage.stack.enter_context(systemd(stage.require))
    running = stage.stack.enter_context(up_inside(booted, BOTH))
    stage.stack.enter_context(manager_of_alice(booted))
    running.register("/web", "systemd:id:web.service")
    start_as_alice(booted, "web.service", "ExecStart=/bin/sleep 1000")
    pid = pid_of_alice(booted, "web.service")
    said = type_inside(stage, booted, f"finial simulate --pid {pid}")
    said.names("systemd:id:web.service", f"systemd:user_unit:{ALICE}:web.service")
