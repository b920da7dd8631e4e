import json

import click
import pytest

from cli.outcome import run
from finial.spiffe.refusal import Kind, Refusal


def _command(refusal: BaseException | None = None, result: int | None = None) -> click.Command:
    def act() -> int | None:
        if refusal is not None:
            raise refusal
        return result

    return click.Command("act", callback=act)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Kind.INVALID, 1),
        (Kind.DENIED, 1),
        (Kind.EXISTS, 1),
        (Kind.NOT_FOUND, 3),
        (Kind.UNAVAILABLE, 4),
        (Kind.TIMEOUT, 4),
    ],
)
def test_a_refusal_has_its_exit_status(kind: Kind, status: int) -> None:
    """0 done, 1 refused, 2 usage, 3 not found, 4 unreachable."""
    assert run(_command(Refusal(kind, "no")), []) == status


def test_done_wrong_usage_and_interruption() -> None:
    """A command that returns ends with 0, or with the status it names; Ctrl-C ends with 130."""
    assert run(_command(), []) == 0
    assert run(_command(result=4), []) == 4
    assert run(_command(), ["--nonsense"]) == 2
    assert run(_command(click.UsageError("no")), []) == 2
    assert run(_command(KeyboardInterrupt()), []) == 130


def test_a_refusal_is_told_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    """People read the sentence, the place and what to try."""
    run(_command(Refusal(Kind.INVALID, "it is wrong", field="f", value="v", remedy="do it")), [])
    assert capsys.readouterr().err == "finial: it is wrong (f: 'v')\n  try: do it\n"


def test_an_argument_that_is_no_text_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """What a terminal cannot show is another matter, and no fault of the argument."""
    with pytest.raises(UnicodeEncodeError) as wrong:
        "spiffe://\udcff".encode()
    assert run(_command(wrong.value), []) == 1
    assert capsys.readouterr().err == "finial: an argument is not UTF-8: it holds '\\udcff'\n"
    with pytest.raises(UnicodeEncodeError) as wrong:
        "\u2026".encode("ascii")
    with pytest.raises(UnicodeEncodeError):
        run(_command(wrong.value), [])


def test_programs_read_a_refusal_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With --output json a refusal is a JSON document on standard error."""
    command = _command(Refusal(Kind.NOT_FOUND, "gone"))
    command.params.append(click.Option(["--output"], expose_value=False))
    assert run(command, ["--output", "json"]) == 3
    said = json.loads(capsys.readouterr().err)
    assert said == {"error": {"kind": "not found", "detail": "gone"}}


def test_each_problem_of_a_file_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines of a refusal are set below ours, so that whoever answered cannot write one like ours."""
    run(_command(Refusal(Kind.INVALID, "a.toml cannot be used:\n  - one\nfinial: \x1btwo")), [])
    assert capsys.readouterr().err == (
        "finial: a.toml cannot be used:\n  - one\n  finial: \\x1btwo\n"
    )


def test_a_file_that_cannot_be_used_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk or a folder of somebody else's is told by name and reason, never by a trace."""
    assert run(_command(PermissionError(13, "Permission denied", "/root/svid")), []) == 1
    assert run(_command(OSError(28, "No space left on device")), []) == 1
    assert capsys.readouterr().err == (
        "finial: /root/svid: Permission denied\nfinial: No space left on device\n"
    )
