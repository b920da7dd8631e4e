"""Every command against a real server and agent."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.programs import Up, eventually, finial, running, short_folder, up

ME = "spiffe://example.org/me"


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    """A server and an agent, and an identity for ourselves."""
    with up() as running_up:
        running_up.register("/me", f"unix:uid:{os.getuid()}")
        eventually(lambda: fetch(running_up, "x509").returncode == 0)
        yield running_up


def fetch(world: Up, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    uri = f"unix://{world['workload_socket']}"
    return finial("fetch", *arguments, "--socket", uri, **options)


def status(world: Up, *arguments: str) -> int:
    return finial(*arguments, "--dir", str(world.folder)).returncode


def test_help_imports_nothing_heavy() -> None:
    """`finial --help` has to answer within 150 ms, so it loads none of these."""
    heavy = {
        "cryptography",
        "httpx",
        "fastapi",
        "sqlalchemy",
        "google",
        "rich",
        "asyncio",
        "uvloop",
    }
    program = (
        "import sys; from click.testing import CliRunner; from cli.__main__ import root; "
        "CliRunner().invoke(root, ['entry', 'create', '--help']); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not set(done.stdout.split()) & heavy


def test_an_entry_lives(world: Up) -> None:
    """An entry is created below the only agent, listed, shown, changed, counted and deleted."""
    made = world.finial(
        "entry", "create", "spiffe://example.org/db", "--selector", "unix:uid:70",
        "--dns", "db.internal", "--x509-svid-ttl", "600", "--attribute", "role=db",
        "--expires-at", "2200-01-01T00:00:00Z", "--hint", "main",
    )  # fmt: skip
    assert made["parent_id"] == world["agent_id"]
    assert (made["dns_names"], made["attributes"]) == (["db.internal"], {"role": "db"})
    listed = world.finial("entry", "list", "--selector", "unix:uid:70")["items"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert world.finial("entry", "show", made["id"])["hint"] == "main"
    changed = world.finial(
        "entry", "update", made["id"], "--x509-svid-ttl", "300", "--if-revision", "0"
    )
    assert (changed["x509_svid_ttl"], changed["hint"]) == (300, "main")
    assert status(world, "entry", "update", made["id"], "--hint", "x", "--if-revision", "0") == 1
    assert status(world, "entry", "update", made["id"]) == 2
    assert world.finial("entry", "count", "--parent", world["agent_id"])["count"] >= 2
    assert world.finial("entry", "delete", made["id"]) == {"deleted": [made["id"]]}
    assert status(world, "entry", "show", made["id"]) == 3
    assert status(world, "entry", "delete", made["id"]) == 3


def test_exit_statuses(world: Up) -> None:
    """0 done, 1 refused, 2 usage, 3 not found, 4 unreachable."""
    assert status(world, "entry", "list") == 0
    wrong = ("entry", "create", "spiffe://other.org/x", "--selector", "unix:uid:1")
    assert status(world, *wrong) == 1
    assert status(world, "entry", "create", ME, "--selector", f"unix:uid:{os.getuid()}") == 1
    assert status(world, "entry", "create") == 2
    assert status(world, "entry", "show", "none") == 3
    assert finial("entry", "list", "--dir", "/nowhere").returncode == 4
    assert finial("entry", "list", env={"PATH": os.environ["PATH"]}).returncode == 2
    assert finial("fetch", "x509", "--socket", "unix:///nowhere.sock").returncode == 4
    assert finial("fetch", "x509", "--socket", "/nowhere.sock").returncode == 2


def test_a_refusal_says_what_and_why(world: Up) -> None:
    """The sentence names the value; as JSON it names the field, too."""
    wrong = ("entry", "create", "spiffe://other.org/x", "--selector", "unix:uid:1")
    done = finial(*wrong, "--dir", str(world.folder))
    assert "spiffe://other.org/x" in done.stderr
    done = finial(*wrong, "--dir", str(world.folder), "--output", "json")
    assert json.loads(done.stderr)["error"]["field"] == "spiffe_id"


def test_x509_svids_are_fetched_and_written(world: Up, tmp_path: Path) -> None:
    """Keys are written as 0600, everything is good by our own lint, openssl takes it."""
    done = fetch(world, "x509", "--write", str(tmp_path / "svid"))
    assert done.returncode == 0
    assert ME in done.stdout
    folder = tmp_path / "svid"
    assert stat.S_IMODE((folder / "svid.0.key").stat().st_mode) == 0o600
    for name in ("svid.0.pem", "bundle.0.pem"):
        assert finial("inspect", str(folder / name)).returncode == 0
    verified = subprocess.run(
        ["openssl", "verify", "-CAfile", "bundle.0.pem", "svid.0.pem"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr
    answer = json.loads(fetch(world, "x509", "--output", "json").stdout)
    assert [each["spiffe_id"] for each in answer["svids"]] == [ME]


def test_changes_are_watched(world: Up) -> None:
    """With --watch each change is told: a second identity appears, and goes."""
    uri = f"unix://{world['workload_socket']}"
    command = [sys.executable, "-m", "cli", "fetch", "x509", "--watch", "--socket", uri]
    with running([*command, "--output", "json"], {"PYTHONUNBUFFERED": "1"}) as watching:
        assert watching.stdout is not None
        assert len(json.loads(watching.stdout.readline())["svids"]) == 1
        made = world.register("/second", f"unix:uid:{os.getuid()}")
        assert len(json.loads(watching.stdout.readline())["svids"]) == 2
        world.finial("entry", "delete", made["id"])
        assert len(json.loads(watching.stdout.readline())["svids"]) == 1


def test_a_jwt_svid_is_fetched_and_validated(world: Up, tmp_path: Path) -> None:
    """A token goes by file or standard input, and is good for its audience only."""
    done = fetch(world, "jwt", "--audience", "db", "--write", str(tmp_path))
    assert done.returncode == 0
    file = tmp_path / "jwt_svid.0.token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    uri = f"unix://{world['workload_socket']}"
    flags = ("--socket", uri, "--output", "json")
    good = finial("validate", "jwt", str(file), "--audience", "db", *flags)
    assert json.loads(good.stdout)["spiffe_id"] == ME
    token = file.read_text()
    piped = finial("validate", "jwt", "--audience", "db", "--socket", uri, input=token)
    assert piped.returncode == 0
    assert finial("validate", "jwt", str(file), "--audience", "web", *flags).returncode == 1
    assert finial("inspect", "-", input=token).returncode == 0


def test_bundles_are_fetched(world: Up, tmp_path: Path) -> None:
    """X.509 bundles are certificates, JWT bundles key sets, each under its trust domain."""
    x509 = json.loads(fetch(world, "bundles", "--output", "json").stdout)["bundles"]
    assert x509["spiffe://example.org"] == Path(world["bundle_path"]).read_text()
    jwt = json.loads(fetch(world, "bundles", "--kind", "jwt", "--output", "json").stdout)
    assert jwt["bundles"]["spiffe://example.org"]["keys"]
    fetch(world, "bundles", "--write", str(tmp_path))
    assert (tmp_path / "example.org.pem").read_text() == x509["spiffe://example.org"]


def test_svids_are_minted(world: Up, tmp_path: Path) -> None:
    """An X509-SVID for a key made here, and a JWT-SVID."""
    minted = world.finial(
        "mint", "x509", "spiffe://example.org/legacy", "--dns", "l.internal",
        "--write", str(tmp_path),
    )  # fmt: skip
    assert minted["id"] == "spiffe://example.org/legacy"
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    seen = json.loads(finial("inspect", str(tmp_path / "svid.pem"), "--output", "json").stdout)
    assert seen["flawless"]
    assert "l.internal" in json.dumps(seen)
    token = world.finial("mint", "jwt", "spiffe://example.org/ci", "--audience", "vault")
    assert token["token"].count(".") == 2
    assert status(world, "mint", "x509", "spiffe://example.org/spire/server") == 1


def test_inspect_names_what_is_wrong(tmp_path: Path) -> None:
    """What breaks a rule ends with 1 and the clause; what is no document at all, too."""
    bad = tmp_path / "bundle.json"
    bad.write_text('{"keys": [{"kty": "EC", "use": "x509-svid"}]}')
    done = finial("inspect", str(bad))
    assert done.returncode == 1
    assert "section" in done.stdout + done.stderr
    assert finial("inspect", str(tmp_path / "none")).returncode == 2
    nothing = tmp_path / "nothing"
    nothing.write_text("hello")
    assert finial("inspect", str(nothing)).returncode == 1


def test_the_bundle_is_shown_and_exported(world: Up, tmp_path: Path) -> None:
    """The bundle comes as PEM or as a SPIFFE document."""
    pem = finial("bundle", "show", "--dir", str(world.folder)).stdout
    assert pem == Path(world["bundle_path"]).read_text()
    file = tmp_path / "bundle.json"
    world.finial("bundle", "export", str(file), "--format", "spiffe")
    assert json.loads(file.read_text())["keys"]
    assert finial("inspect", str(file)).returncode == 0
    kinds = {(each["use"], each["phase"]) for each in world.finial("authority", "list")["items"]}
    assert {("x509", "active"), ("jwt", "active")} <= kinds


def test_api_tokens_open_https(world: Up, tmp_path: Path) -> None:
    """A token with a scope opens what the scope names over HTTPS, until it is revoked."""
    made = world.finial("api-token", "create", "ci", "--scope", "entries:read")
    token = tmp_path / "token"
    token.write_text(made["token"])
    over = ("--server", world["rest_address"], "--token-file", str(token))
    over = (*over, "--bundle", world["bundle_path"])
    assert finial("entry", "list", *over).returncode == 0
    assert finial("agent", "list", *over).returncode == 1
    assert finial("entry", "list", *over[:4]).returncode == 4
    listed = world.finial("api-token", "list")["items"]
    assert made["token"] not in json.dumps(listed)
    world.finial("api-token", "revoke", made["id"])
    assert finial("entry", "list", *over).returncode == 1
    assert status(world, "api-token", "revoke", made["id"]) == 3


def test_agents_are_administered(world: Up) -> None:
    """The agent is listed and shown by its ID or by its path; a purge finds none to evict."""
    [listed] = world.finial("agent", "list")["items"]
    assert listed["id"] == world["agent_id"]
    assert world.finial("agent", "show", world["agent_id"]) == listed
    path = world["agent_id"].partition("/spire/agent/")[2]
    assert world.finial("agent", "show", path) == listed
    assert world.finial("agent", "purge", "--dry-run") == {"would_be_evicted": []}
    assert status(world, "agent", "show", "x509pop/none") == 3
    assert status(world, "agent", "ban", "spiffe://example.org/web") == 2


def test_a_second_agent_joins_by_one_command(world: Up) -> None:
    """`finial agent run --join-file -` takes all it needs; a ban ends the agent."""
    made = world.finial("token", "create", "--ttl", "60")
    assert made["value"] not in json.dumps(world.finial("token", "list"))
    with short_folder() as folder:
        command = [sys.executable, "-m", "cli", "agent", "run", f"--data-dir={folder}/d"]
        with running([*command, "--join-file", "-"], stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            process.stdin.write(made["join"])
            process.stdin.close()
            agents = eventually(
                lambda: [
                    each
                    for each in world.finial("agent", "list")["items"]
                    if each["id"] == made["agent_id"]
                ]
            )
            assert agents[0]["attestation_type"] == "join_token"
            socket = f"unix://{folder}/d/agent.sock"
            eventually(lambda: finial("healthcheck", "--agent", socket).returncode == 0)
            world.finial("agent", "ban", made["agent_id"])
            assert process.wait(30) != 0
        world.finial("agent", "evict", made["agent_id"])
    assert len(world.finial("agent", "list")["items"]) == 1


def test_a_configuration_is_checked() -> None:
    """`--check` names each mistake, with the nearest known key."""
    with short_folder() as folder:
        config = folder / "ca.toml"
        config.write_text('[server]\ntrust_domian = "example.org"\nca_ttl = "x"\n')
        done = finial("ca", "run", "--config", str(config), "--check")
        assert done.returncode == 1
        assert "did you mean trust_domain" in done.stderr
        assert "ca_ttl" in done.stderr
        config.write_text('[server]\ntrust_domain = "example.org"\n[plugins.key_manager.desk]\n')
        done = finial("ca", "run", "--config", str(config), "--check")
        assert (done.returncode, "did you mean 'disk'" in done.stderr) == (1, True)
    for program, example in (("ca", "ca.toml"), ("agent", "agent.toml")):
        example_file = Path(__file__).parents[2] / "examples" / example
        done = finial(program, "run", "--config", str(example_file), "--check", "--output", "json")
        assert json.loads(done.stdout)["valid"] is True
