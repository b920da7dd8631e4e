"""Reports about entries that are not there yet, or no longer."""

import datetime as dt
import os
import signal
import time

from tests.doubles.nodes import AgentProgram
from tests.doubles.programs import eventually, finial
from tests.e2e.explained.situation import situation
from tests.e2e.explained.stage import Stage, as_user, refusal_id, sleeper
from tests.e2e.explained.wire import wire

WEB, OLD = 61001, 61002


def until_refused(stage: Stage) -> None:
    command = ["fetch", "x509"]
    eventually(lambda: as_user(command, stage.environment, WEB)[1] != 0)


@situation("spiffe/spire#773", "spiffe/spire#1071")
def entry_expired(stage: Stage) -> None:
    """The entry had an expiry, and it has come

    An entry with an expiry is pruned by the server once it has come. The workload, registered long ago, is refused
    from one minute to the next, and a list of entries shows nothing.
    """
    stage.start()
    soon = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(seconds=4)
    stage.entry("/web", f"unix:uid:{WEB}", expires_at=soon.isoformat())
    stage.until_served(WEB)
    time.sleep(max(0.0, soon.timestamp() - time.time()))
    # The server prunes every five minutes, and when it starts.
    os.kill(stage.up["server_pid"], signal.SIGTERM)
    until_refused(stage)
    refused = stage.ask("finial fetch x509", uid=WEB)
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names("spiffe://example.org/web", "expired")
    stage.fixed(said)
    stage.until_served(WEB)


@situation("spiffe/spire#480")
def entry_deleted(stage: Stage) -> None:
    """The entry was deleted by somebody else

    What a workload was served a moment ago is gone, and who asks why sees only that there is none.
    """
    stage.start()
    made = stage.entry("/web", f"unix:uid:{WEB}")
    stage.until_served(WEB)
    stage.up.finial("entry", "delete", made)
    until_refused(stage)
    refused = stage.ask("finial fetch x509", uid=WEB)
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names("spiffe://example.org/web", "deleted")
    stage.fixed(said)
    stage.until_served(WEB)


@situation("spiffe/spire#3278", "spiffe/spire#1644")
def agent_banned(stage: Stage) -> None:
    """The agent was banned, and all of its workloads are refused

    Somebody banned or evicted the node. Its workloads see only that their agent is gone or has
    nothing for them.
    """
    stage.start()
    stage.entry("/web", f"unix:uid:{WEB}")
    stage.until_served(WEB)
    stage.up.finial("agent", "ban", stage.agent_id())
    until_refused(stage)
    with sleeper(WEB) as pid:
        said = stage.type(f"finial simulate --agent {stage.agent_id()} --pid {pid}")
    said.names("banned", "finial agent evict")


@situation("spiffe/spire#2760", "spiffe/spire#305", "spiffe/spire#7198")
def entry_on_its_way(stage: Stage) -> None:
    """The entry is made, the selectors are right, and the agent does not have it

    New entries did not reach the agents while those that they had were served on. What the agent
    knew, and since when it heard nothing, could be read in no log.
    """
    stage.start()
    host, _, port = stage.up["grpc_address"].rpartition(":")
    cable = stage.stack.enter_context(wire((host, int(port))))
    join = stage.folder / "join"
    join.write_text(stage.up.finial("token", "create", "--address", cable.address)["join"])
    agent = AgentProgram(stage.folder / "far", join=join)
    stage.stack.callback(agent.close)
    agent_id = agent.begin().agent_id
    stage.entry("/old", f"unix:uid:{OLD}", parent=agent_id)
    socket = f"unix://{agent.workload_socket}"
    stage.until_served(OLD, socket)
    cable.cut()
    stage.entry("/web", f"unix:uid:{WEB}", parent=agent_id)
    refused = stage.ask(f"finial fetch x509 --socket {socket}", uid=WEB)
    # The server knows at once which agent does not follow, the agent when it hears nothing more.
    eventually(lambda: "entries: " in checked(stage), what="the server notices")
    stage.type("finial doctor", only="agents in step").names(
        "warning", agent_id.partition("agent/")[2]
    )
    cable.sever()
    look = ["explain", "--dir", str(agent.folder), "--refusal", refusal_id(refused)]
    eventually(lambda: "has had no word of its server" in finial(*look).stdout)
    said = stage.type("finial " + " ".join(look))
    said.names("what was registered since is not known here", "finial doctor")
    cable.mend()
    stage.until_served(WEB, socket)


def checked(stage: Stage) -> str:
    """What the server's check of its agents says."""
    return finial("doctor", "--dir", str(stage.folder / "d")).stdout
