"""Commands that are recommended name what they mean, whatever it holds."""

import subprocess

import pytest

from finial.explain.shell import join, quote

WORDS = [
    "docker:label:app:web",
    "docker:label:app:it's $(rm) `x` \\",
    "docker:label:app:\u202eweb\x1b[31m'\\",
    "docker:label:app:\U000e0001\n",
]


@pytest.mark.parametrize("word", WORDS)
def test_a_shell_reads_the_word_that_was_meant(word: str) -> None:
    """Quotes, substitutions, escapes and what turns the reading direction come through a shell."""
    written = quote(word)
    assert written.isprintable()
    assert shown_by_bash(f"printf %s {written}") == word


def test_a_whole_command_is_joined_by_blanks() -> None:
    """Each word stays one word."""
    assert join(["finial", "entry", "a b"]) == "finial entry 'a b'"


def shown_by_bash(command: str) -> str:
    environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True, env=environment)
    return done.stdout.decode()
