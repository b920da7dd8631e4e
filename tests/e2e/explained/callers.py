"""Reports about callers whom the agent cannot see, and about lookers-on."""

import re
import subprocess
import sys
from pathlib import Path

from tests.doubles.nodes import AgentProgram
from tests.doubles.programs import ROOT, eventually
from tests.e2e.explained.situation import situation
from tests.e2e.explained.stage import Stage

WEB = 61001
OWN_PIDS = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


@situation("spiffe/spire-tutorials#56", "spiffe/spire#934", "spiffe/spire#961")
def agent_with_pids_of_its_own(stage: Stage) -> None:
    """The agent runs in a container without the host's PID namespace

    The kernel tells the agent pid 0 for every caller outside of its namespace: `could not resolve
    caller information`. The reporter spent long until `pid: host` did the trick.
    """
    stage.require.command("unshare", "apt-get install util-linux")
    stage.start()
    join = stage.folder / "join"
    join.write_text(stage.up.finial("token", "create")["join"])
    agent = AgentProgram(stage.folder / "boxed", join=join, prefix=OWN_PIDS)
    stage.stack.callback(agent.close)
    agent.start()
    eventually(agent.workload_socket.exists)
    inside = ["nsenter", "--pid", "--mount", f"--target={child_of(agent.pid)}"]
    eventually(lambda: is_well(agent, inside))
    refused = stage.ask(f"finial fetch x509 --socket unix://{agent.workload_socket}", uid=WEB)
    refused.names("an agent that cannot see who calls", "finial explain --last-refusals")
    flags = f"--dir {agent.folder}"
    said = stage.type(f"finial explain --last-refusals {flags}", who="agent#", prefix=inside)
    said.names("PID namespace")
    [found] = re.findall(r"^([a-z2-7]{8}) ", said, re.MULTILINE)
    said = stage.type(f"finial explain --refusal {found} {flags}", who="agent#", prefix=inside)
    said.names("PID namespace", "hostPID", "pid: host")


def is_well(agent: AgentProgram, inside: list[str]) -> bool:
    """Whether it has joined; it answers only those whom it sees."""
    command = [*inside, sys.executable, "-m", "cli", "healthcheck", "--dir", str(agent.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return "agent is healthy" in done.stdout


def child_of(pid: int) -> int:
    """The agent's pid as the host sees it, whose parent made the namespace."""
    [found] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found)
