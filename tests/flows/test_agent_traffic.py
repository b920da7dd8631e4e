"""The server asks an agent who called whom, over the stream of changes."""

from finial.policy.decision import Mode
from finial.traffic import Cursor, TrafficDocument, decode
from finial.wire.status import Code
from tests.doubles.access import CHARGE, ORDERS, OWN, PAYMENT, outcome, policies
from tests.doubles.running_agent import Scene, until
from tests.flows.agent_scenes import play
from tests.flows.deciding_scenes import deciding


async def told(played: Scene, cursor: Cursor, id_: str) -> TrafficDocument:
    played.server.ask("traffic", cursor.encoded(), id_, 3000)

    def found() -> list[bytes]:
        answers = [up.answer for up in played.server.ups if up.answer.id == id_]
        assert all(each.status == Code.OK for each in answers)
        return [each.payload for each in answers]

    await until(lambda: bool(found()))
    return decode(found()[0])


def test_the_server_reads_on_where_it_was() -> None:
    """Everything at first, then what changed, and everything again after a restart."""

    async def act(played: Scene) -> None:
        document = policies(1, {PAYMENT: Mode.SHADOW}, CHARGE)
        async with deciding(played, document) as agent:
            assert "traffic" in played.server.hellos[0].capabilities
            for path in ("/transaction/1", "/transaction/2"):
                await outcome(agent, path=path)
            await outcome(agent, f"{OWN}/gateway", path="/refund/7?card=4711")
            first = await told(played, Cursor(), "a")
            assert [(row.caller, row.outcome, row.shape, row.count) for row in first.rows] == [
                (ORDERS, "allowed", "/transaction/*", 2),
                (f"{OWN}/gateway", "shadowed", "/refund/*", 1),
            ]
            assert first.rows[1].example == "/refund/7"
            await outcome(agent)
            [changed] = (await told(played, first.cursor, "b")).rows
            assert (changed.caller, changed.count) == (ORDERS, 3)
        async with deciding(played, document) as agent:
            await outcome(agent)
            again = await told(played, first.cursor, "c")
            assert [row.count for row in again.rows] == [1]

    play(act)
