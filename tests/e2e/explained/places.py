"""Reports about entries that are another node's, or nobody's."""

from tests.doubles.nodes import AgentProgram
from tests.e2e.explained.situation import situation
from tests.e2e.explained.stage import Stage, refusal_id

WEB = 61001


@situation("spiffe/spire#4957", "spiffe/spire#1822")
def parent_is_nobody(stage: Stage) -> None:
    """The entry's parent is an ID that no agent has

    The parent was written like a folder (`/ns/spire`). Nothing was wrong with the selectors, and no
    agent ever got the entry.
    """
    stage.start()
    made = stage.type(
        "finial entry create spiffe://example.org/web "
        f"--parent spiffe://example.org/ns/spire --selector unix:uid:{WEB}"
    )
    made.names("Warning", "spiffe://example.org/ns/spire")
    refused = stage.ask("finial fetch x509", uid=WEB)
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names("spiffe://example.org/web", "spiffe://example.org/ns/spire", stage.agent_id())
    stage.fixed(said)
    stage.until_served(WEB)


@situation("spiffe/spire-tutorials#75", "spiffe/spire#3133")
def alias_of_other_nodes(stage: Stage) -> None:
    """The entry hangs on an alias of nodes that this node does not have

    A node alias named the cluster `demo-cluster`, the agent had attested as another one, and all
    workloads below the alias got nothing.
    """
    stage.start()
    subject = stage.up.finial("agent", "show", stage.agent_id())["selectors"]
    assert subject
    stage.entry(
        "/web-nodes",
        "x509pop:subject:cn:web-1.example.org",
        parent="spiffe://example.org/spire/server",
    )
    stage.entry("/web", f"unix:uid:{WEB}", parent="spiffe://example.org/web-nodes")
    refused = stage.ask("finial fetch x509", uid=WEB)
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names(
        "spiffe://example.org/web-nodes",
        "x509pop:subject:cn:web-1.example.org",
        "spiffe://example.org/web",
    )
    stage.fixed(said)
    stage.until_served(WEB)


@situation("spiffe/spire#842", "spiffe/spire#2454")
def joined_again(stage: Stage) -> None:
    """A node joined again with a new token, and all its entries are gone

    A join token makes a new agent ID. The entries still hang on the former one, which nobody is any
    more.
    """
    stage.start()
    former, former_id = second_agent(stage, "first")
    stage.entry("/web", f"unix:uid:{WEB}", parent=former_id)
    former.stop()
    agent, agent_id = second_agent(stage, "second")
    socket = f"unix://{agent.workload_socket}"
    refused = stage.ask(f"finial fetch x509 --socket {socket}", uid=WEB)
    said = stage.type(f"finial explain --agent {agent_id} --refusal {refusal_id(refused)}")
    said.names("spiffe://example.org/web", former_id, agent_id)
    stage.fixed(said)
    stage.until_served(WEB, socket)


def second_agent(stage: Stage, name: str) -> tuple[AgentProgram, str]:
    """Another agent on the same machine, which joins by a token."""
    join = stage.folder / f"{name}.join"
    join.write_text(stage.up.finial("token", "create")["join"])
    agent = AgentProgram(stage.folder / name, join=join)
    stage.stack.callback(agent.close)
    return agent, agent.begin().agent_id
