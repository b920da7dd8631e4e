"""How the command reaches a server."""

import json
import os
from pathlib import Path

import click
import pytest

from cli.administration import Administration, remedy
from cli.place import Place
from tests.doubles.programs import finial


def test_a_unix_socket_needs_no_certificates() -> None:
    """What the environment says of certificates is not read for a socket of this machine."""
    env = {**os.environ, "SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": "/nowhere"}
    line = ("entry", "list", "--server=unix:///nowhere/admin.sock", "--output=json")
    done = finial(*line, env=env)
    assert json.loads(done.stderr)["error"]["kind"] == "unavailable"


@pytest.mark.parametrize(
    ("place", "reason", "wanted"),
    [
        (Place(Path("/d/private/admin.sock"), Path("/d")), "No such file", "finial up --dir /d"),
        (Place(Path("/v/private/admin.sock")), "No such file", "in its data_dir"),
        (Place(Path("/d/private/admin.sock"), Path("/d")), "Permission denied", "as root"),
        (Place(url="https://ca:1"), "Connection refused", "[server.rest]"),
        (Place(url="https://ca:1"), "CERTIFICATE_VERIFY_FAILED: issuer", "--bundle FILE"),
        (Place(url="https://ca:1"), "CERTIFICATE_VERIFY_FAILED: Hostname mismatch", "dns_names"),
    ],
)
def test_who_cannot_reach_the_server_is_told_what_to_look_at(
    place: Place, reason: str, wanted: str
) -> None:
    """The remedy is about the way in that was named; only a folder of `finial up` is started."""
    assert wanted in remedy(place, reason)


def test_a_bundle_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    """A file that is missing or holds something else is wrong usage, told by its name."""
    (tmp_path / "text").write_text("no certificate")
    for name, reason in (("missing", "No such file"), ("text", "no certificate in it")):
        place = Place(url="https://ca:1", bundle=tmp_path / name)
        with pytest.raises(click.UsageError, match=rf"{name}: .*{reason}"):
            Administration(place)
