"""Nothing that comes from elsewhere gives a terminal orders."""

import json

import click
import pytest

from cli.outcome import REFUSED, run
from cli.printing import plain, print_fields, print_json, print_table
from finial.spiffe.refusal import Kind, Refusal

ORDERS = "\x1b]0;owned\x07 \x9b2J \x7f \u202e \r\n"


@pytest.mark.parametrize("orders", [*ORDERS.split(), ORDERS])
def test_a_server_could_write_to_the_terminal(
    orders: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escapes, in whichever words or lists they come, are shown and not obeyed."""

    def refuse() -> None:
        raise Refusal(Kind.DENIED, orders, field="f", value=orders, remedy=orders)

    assert run(click.Command("x", callback=refuse), []) == REFUSED
    print_fields({"a": orders, "b": [orders]}, {"a": "A", "b": "B"})
    print_table([{"a": orders}], {"a": "A"}, "none")
    print_json({"a": orders})
    said = capsys.readouterr()
    assert plain(orders).isprintable()
    for line in (said.out + said.err).split("\n"):
        assert line.isprintable()


def test_json_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    """What is escaped for the terminal reads back the same, and names stay readable."""
    for text in ("naïve", ORDERS, "\U0001f512"):
        print_json({"a": text})
        line = capsys.readouterr().out
        assert json.loads(line) == {"a": text}
        assert ("\\u" in line) is not text.isprintable()
