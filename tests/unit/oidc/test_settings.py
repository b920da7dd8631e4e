"""The table `[oidc]`."""

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ca import settings
from finial.runtime.settings import SettingsError

ISSUER = "https://oidc.example.org"
KEY = re.compile(r"# [a-z_]+ = ")


def read(oidc: dict[str, Any] | None, **server: Any) -> settings.Settings:
    table: dict[str, Any] = {"server": {"trust_domain": "example.org", **server}}
    return settings.read(table if oidc is None else {**table, "oidc": oidc})


def test_it_is_off_unless_it_is_there() -> None:
    """Without the table nothing listens, whatever tokens say."""
    assert read(None).oidc is None
    assert read(None, jwt_issuer="my issuer").oidc is None


def test_an_address_is_all_it_takes() -> None:
    """The issuer is that of the tokens, and its host the only name."""
    found = read({"listen": "0.0.0.0:8444"}, jwt_issuer=ISSUER)
    assert found.oidc is not None
    assert (found.oidc.address, found.oidc.socket) == (("0.0.0.0", 8444), None)
    assert (found.issuer, found.oidc_hosts) == (ISSUER, ("oidc.example.org",))
    assert found.oidc.ratelimit == 50


def test_everything_can_be_said() -> None:
    """Addresses stand among the hosts, and not in a certificate of ours."""
    found = read(
        {
            "listen": "[::1]:443",
            "issuer": "https://a.test/x",
            "domains": ["a.test", "b.test", "192.0.2.1"],
        },
        jwt_issuer=ISSUER,
    )
    assert found.oidc is not None
    assert found.oidc.address == ("::1", 443)
    assert (found.issuer, found.oidc_names) == ("https://a.test/x", ("a.test", "b.test"))
    assert found.oidc_hosts == ("a.test", "b.test", "192.0.2.1")
    proxied = read({"listen": "unix:///run/o.sock", "issuer": "https://192.0.2.1"})
    assert proxied.oidc is not None
    assert proxied.oidc.socket == Path("/run/o.sock")


@pytest.mark.parametrize(
    ("oidc", "server", "said"),
    [
        ({}, {}, "oidc.listen is missing"),
        ({"listen": "8444"}, {}, "must be host:port"),
        ({"listen": "a:65536"}, {}, "must be host:port"),
        ({"listen": "unix://"}, {}, "must be host:port"),
        ({"listen": "unix:///" + "a" * 200}, {"jwt_issuer": ISSUER}, "a path of at most"),
        ({"listen": "a:1"}, {}, "oidc.issuer is missing, and server.jwt_issuer is ''"),
        ({"listen": "a:1"}, {"jwt_issuer": "us"}, "server.jwt_issuer is 'us'"),
        ({"listen": "a:1", "issuer": "http://a.test"}, {}, "oidc.issuer is 'http://a.test'"),
        ({"listen": "a:1", "issuer": "https://192.0.2.1"}, {}, "name only addresses"),
        ({"listen": "a:1", "domains": ["a/b"]}, {}, "oidc.domains holds 'a/b'"),
        ({"listen": "a:1", "key_file": "/k"}, {}, "together or not at all"),
        ({"listen": "a:1", "ratelimit": -1}, {}, "oidc.ratelimit is -1"),
        ({"listen": "a:1", "isuer": ISSUER}, {}, "did you mean issuer?"),
        ({"listen": "a:1", "issuer": ISSUER}, {"disable_jwt_svids": True}, "disable_jwt_svids"),
        (
            {"listen": "unix:///s", "certificate_file": "/c", "key_file": "/k"},
            {"jwt_issuer": ISSUER},
            "no certificate",
        ),
    ],
)
def test_what_cannot_work_is_refused(
    oidc: dict[str, Any], server: dict[str, Any], said: str
) -> None:
    """A sentence names the key and the reason."""
    with pytest.raises(SettingsError) as caught:
        read(oidc, **server)
    assert said in "\n".join(caught.value.problems)


def test_the_example_names_every_key() -> None:
    """What is commented out in examples/ca.toml can be used as it stands."""
    text = (Path(__file__).parents[3] / "examples" / "ca.toml").read_text()
    lines = text.partition("# [oidc]\n")[2].partition("\n\n")[0].splitlines()
    shown = [line.removeprefix("# ") for line in lines if KEY.match(line)]
    found = tomllib.loads("\n".join(shown))
    assert set(found) == {each.name for each in dataclasses.fields(settings.Oidc)}
    assert read(found, jwt_issuer=ISSUER).oidc is not None
