"""How a test of the agent tells it what is blocked."""

from finial.blocks import BlocksDocument, Crl, encode
from tests.doubles.running_agent import RunningAgent, Scene, until

WEB = "spiffe://example.org/web"
LIST = Crl("aabb", b"\x30\x03crl", 2_000_000_000)
NO_WORD = "no identity issued: the identity of the process is blocked"


def tell(played: Scene, document: BlocksDocument) -> None:
    played.server.tell("blocks", document.version, encode(document))


def version(agent: RunningAgent) -> int:
    return agent.parts.tasks.holdings.value.blocks.version


def applied(played: Scene) -> list[int]:
    ups = (up.applied for up in played.server.ups if up.HasField("applied"))
    return [each.version for each in ups if each.topic == "blocks"]


async def told(played: Scene, agent: RunningAgent, document: BlocksDocument) -> None:
    """Tell it, and wait until the agent says that it is in force."""
    tell(played, document)
    await until(lambda: document.version in applied(played))
