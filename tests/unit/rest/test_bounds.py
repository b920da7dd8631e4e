import json
from pathlib import Path

import pytest

from tests.unit.rest.desk import WEB, Desk, at_desk, problem

JSON = {"Content-Type": "application/json"}


BAD = [
    b"{",
    b"[1, 2]",
    b'"text"',
    b"null",
    b'{"spiffe_id": "a", "spiffe_id": "b"}',
    b'{"x509_svid_ttl": NaN}',
    b'{"x509_svid_ttl": 1e999}',
    b'{"x509_svid_ttl": ' + b"9" * 5000 + b"}",
    b'{"hint": "\\ud800"}',
    b'{"hint": "\xff"}',
    b"[" * 100_000,
    json.dumps({**WEB, "hint": "a\0b"}).encode(),
    json.dumps({**WEB, "hint": "a" * 2000}).encode(),
    json.dumps({**WEB, "spiffe_id": "spiffe://example.org/" + "a" * 100_000}).encode(),
    json.dumps({**WEB, "selectors": []}).encode(),
]


def test_bad_json_is_refused(tmp_path: Path) -> None:
    """Whatever two parsers could read in two ways, or is no entry, is answered with 400."""

    async def act(desk: Desk) -> None:
        for body in BAD:
            problem(await desk.ask("POST", "/v1/entries", content=body, headers=JSON), 400)
        assert (await desk.ask("POST", "/v1/entries", WEB)).status_code == 201

    at_desk(tmp_path, act)


def test_a_long_body_is_refused(tmp_path: Path) -> None:
    """A body over 2 MiB is not read to its end (413), and the connection is closed."""

    async def act(desk: Desk) -> None:
        body = b'{"hint": "' + b"a" * (2 * 1024 * 1024) + b'"}'
        answer = await desk.ask("POST", "/v1/entries", content=body, headers=JSON)
        problem(answer, 413)
        assert answer.headers["connection"] == "close"

    at_desk(tmp_path, act)


def test_only_json_is_taken(tmp_path: Path) -> None:
    """A body of another type, or of none, is refused with 415."""

    async def act(desk: Desk) -> None:
        for media in ("text/plain", "application/x-www-form-urlencoded", ""):
            headers = {"Content-Type": media} if media else {}
            answer = await desk.ask("POST", "/v1/entries", content=b"a=b", headers=headers)
            assert problem(answer, 415)["field"] == "Content-Type"

    at_desk(tmp_path, act)


def test_an_unknown_place_or_verb_is_a_problem_too(tmp_path: Path) -> None:
    """404 and 405 come as problem documents, and no path is redirected."""

    async def act(desk: Desk) -> None:
        problem(await desk.ask("GET", "/v2/entries"), 404)
        problem(await desk.ask("GET", "/v1/entries/"), 404)
        problem(await desk.ask("PUT", "/v1/entries", WEB), 405)

    at_desk(tmp_path, act)


def test_a_bug_is_answered_as_internal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What escapes is logged whole, and the caller learns no more than that it is internal."""

    async def act(desk: Desk) -> None:
        object.__setattr__(desk.house.world, "known", None)
        answer = await desk.ask("GET", "/v1/entries")
        assert problem(answer, 500)["detail"] == "internal error"
        assert "NoneType" not in answer.text

    at_desk(tmp_path, act)
    assert "NoneType" in caplog.text
