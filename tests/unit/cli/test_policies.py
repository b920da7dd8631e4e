"""Policies in files, and requests that agents recorded."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.policies import (
    batches,
    lines_of,
    name_of,
    read_policies,
    read_requests,
    recorded_requests,
    same,
    trials,
)
from finial.spiffe.refusal import Kind, Refusal

RULE = {"name": "one", "from": "spiffe://example.org/a", "to": "spiffe://example.org/b"}
CEDAR = "permit (principal, action, resource);"


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_policies_are_read_from_files_and_folders(tmp_path: Path) -> None:
    """One rule, a list of rules, Cedar named like its file; a folder stands for what is in it."""
    write(tmp_path, "a.json", RULE)
    write(tmp_path, "b.json", [RULE | {"name": "two"}, RULE | {"name": "three"}])
    write(tmp_path, "in cedar.cedar", CEDAR)
    write(tmp_path, "README", "not a policy")
    found = read_policies([tmp_path])
    assert [name_of(each) for each in found] == ["one", "two", "three", "in cedar"]
    assert found[0] == {"rule": RULE}
    assert found[3] == {"name": "in cedar", "cedar": CEDAR}


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", '"text"', "[1]", "[]", "{}", '{"name": 1}'),
        *('{"name": "a", "name": "b"}', '{"name": "a", "to": NaN}', "[" * 100_000),
    ],
    ids=range(10),
)
def test_file_that_holds_no_rule_is_refused(tmp_path: Path, content: str) -> None:
    """The refusal names the file."""
    path = write(tmp_path, "a.json", content)
    with pytest.raises(Refusal) as refused:
        read_policies([path])
    assert (refused.value.kind, refused.value.value) == (Kind.INVALID, str(path))


def test_a_name_is_given_once(tmp_path: Path) -> None:
    """Of two files that name the same policy nobody knows which is meant."""
    files = [write(tmp_path, "a.json", RULE), write(tmp_path, "b.json", RULE)]
    with pytest.raises(Refusal, match="two policies"):
        read_policies(files)


def test_folder_without_policies_is_refused(tmp_path: Path) -> None:
    """Whoever mistypes a folder's name must not believe that its policies are there."""
    with pytest.raises(Refusal, match="no policy in it"):
        read_policies([tmp_path])


def test_what_is_sent_is_divided() -> None:
    """By its size; a change that does not fit into one call is not tried by halves."""
    rules = [{"rule": RULE | {"name": str(number)}} for number in range(10)]
    assert [len(each) for each in batches(rules, 250)] == [2, 2, 2, 2, 2]
    assert [len(each) for each in batches(rules, 1)] == [1] * 10
    change = {"put": rules, "remove": []}
    assert list(trials(change, [])) == [change | {"requests": []}]
    asked = [{"callee": "spiffe://example.org/b", "path": "/" + "a" * 8000}] * 300
    parts = list(trials(change, asked))
    assert [sum(len(each["requests"]) for each in parts), len(parts)] == [300, 2]
    with pytest.raises(Refusal, match="cannot be tried at once"):
        list(trials({"put": [{"cedar": "x" * 2_000_000}]}, []))


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Some editors write one."""
    path = tmp_path / "a.json"
    path.write_text("\ufeff" + json.dumps(RULE))
    assert read_policies([path]) == [{"rule": RULE}]


def test_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Bytes that are no text, and a file that is not there."""
    binary = tmp_path / "a.cedar"
    binary.write_bytes(b"\xff\xfe")
    for path in (binary, tmp_path / "missing.json"):
        with pytest.raises(Refusal, match="cannot be read"):
            read_policies([path])


def test_requests_are_read_line_by_line(tmp_path: Path) -> None:
    """Empty lines are passed over; a bad one is named by its number."""
    request = {"callee": "spiffe://example.org/b", "method": "GET", "path": "/"}
    path = write(tmp_path, "seen.jsonl", f"{json.dumps(request)}\n\n{json.dumps(request)}\n")
    assert read_requests(path) == [request, request]
    with pytest.raises(Refusal) as refused:
        read_requests(write(tmp_path, "bad.jsonl", f"{json.dumps(request)}\n{{"))
    assert refused.value.value.endswith("bad.jsonl:2")
    with pytest.raises(Refusal, match="a request is an object") as refused:
        read_requests(write(tmp_path, "bad.jsonl", "[]"))
    assert refused.value.value.endswith("bad.jsonl:1")


def test_policy_is_compared_with_what_is_registered() -> None:
    """The same text, switched on, is no change."""
    known = {"rule": RULE, "cedar": None, "enabled": True}
    assert same({"rule": RULE}, known)
    assert not same({"rule": RULE}, known | {"enabled": False})
    assert not same({"name": "x", "cedar": CEDAR}, known)
    assert lines_of(known)[1] == '  "from": "spiffe://example.org/a",'
    assert lines_of({"cedar": CEDAR}) == [CEDAR]
    assert lines_of({"cedar": CEDAR, "enabled": False}) == ["not enabled", CEDAR]


def test_requests_are_made_of_what_was_recorded() -> None:
    """By an example where there is one; what was not told apart cannot be tried."""
    flow = {
        "caller": "spiffe://example.org/a",
        "callee": "spiffe://example.org/b",
        "method": "GET",
        "path": "/users/*",
        "example": "/users/7",
    }
    assert recorded_requests([flow]) == [
        {
            "caller": "spiffe://example.org/a",
            "callee": "spiffe://example.org/b",
            "method": "GET",
            "path": "/users/7",
        }
    ]
    assert recorded_requests([flow | {"caller": None, "example": None}]) == [
        {"callee": "spiffe://example.org/b", "method": "GET", "path": "/users/*"}
    ]
    assert recorded_requests([flow | {"method": None}, flow | {"callee": None}]) == []
