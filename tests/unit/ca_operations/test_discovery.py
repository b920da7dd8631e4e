"""What the doctor says of OIDC discovery."""

import asyncio
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from ca import settings
from ca.operations.diagnosing import diagnose
from ca.operations.diagnosing.discovery import judge_certificate, judge_issuer
from finial.explain.diagnosis import Diagnosis, Health
from tests.doubles.ca import SmallCa
from tests.doubles.clock import NOW
from tests.doubles.house import house

ISSUER = "https://oidc.example.org"
DAY = 86_400


def judged(tokens: str, published: str = ISSUER) -> Diagnosis:
    table = {"trust_domain": "example.org", "jwt_issuer": tokens}
    oidc = {"listen": "127.0.0.1:0", "issuer": published}
    return judge_issuer(settings.read({"server": table, "oidc": oidc}))


def diagnosed(folder: Path, **server: Any) -> dict[str, Diagnosis]:
    async def scene() -> dict[str, Diagnosis]:
        async with house(folder, **server) as built:
            found = await diagnose(built.world)
            return {each.check: each for each in found if each.check.startswith("oidc")}

    return asyncio.run(scene())


def test_tokens_say_the_issuer_that_is_published() -> None:
    """Any other spelling, a slash more, is a warning with what to do."""
    assert judged(ISSUER).health is Health.OK
    other = judged(ISSUER + "/")
    assert other.health is Health.WARNING
    assert ISSUER + "/" in other.detail
    none = judged("")
    assert none.health is Health.WARNING
    assert f'jwt_issuer = "{ISSUER}"' in none.remedy


def test_the_doctor_looks_at_it_where_it_is_on(tmp_path: Path) -> None:
    """No check without the table; the certificate's where one was given."""
    (tmp_path / "off").mkdir()
    assert not diagnosed(tmp_path / "off")
    oidc = {"listen": "127.0.0.1:0"}
    (tmp_path / "own").mkdir()
    own = diagnosed(tmp_path / "own", jwt_issuer=ISSUER, oidc=oidc)
    assert {name: each.health for name, each in own.items()} == {"oidc discovery": Health.OK}
    pem, key = tmp_path / "tls.pem", tmp_path / "tls.key"
    files = {"certificate_file": str(pem), "key_file": str(key)}
    (tmp_path / "given").mkdir()
    given = diagnosed(tmp_path / "given", jwt_issuer=ISSUER, oidc={**oidc, **files})
    assert given["oidc certificate"].health is Health.FAILED
    leaf = SmallCa("web.test").leaf(dns=["oidc.example.org"], not_after=NOW + 30 * DAY)
    pem.write_bytes(leaf.certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "good").mkdir()
    given = diagnosed(tmp_path / "good", jwt_issuer=ISSUER, oidc={**oidc, **files})
    assert given["oidc certificate"].health is Health.OK


def test_a_given_certificate_is_good_for_every_host() -> None:
    """It names each host, by itself or by a wildcard, and lasts for a week more."""
    authority = SmallCa("web.test", lifetime=90 * DAY)
    leaf = authority.leaf(dns=["*.example.org"], not_after=NOW + 30 * DAY).certificate
    hosts = ("oidc.example.org",)
    assert judge_certificate(leaf, hosts, NOW).health is Health.OK
    assert judge_certificate(leaf, ("a.b.example.org",), NOW).health is Health.WARNING
    assert judge_certificate(leaf, ("192.0.2.1",), NOW).health is Health.WARNING
    assert judge_certificate(leaf, hosts, NOW + 25 * DAY).health is Health.WARNING
    assert judge_certificate(leaf, hosts, NOW + 31 * DAY).health is Health.FAILED
    bare = authority.certificate
    assert judge_certificate(bare, hosts, NOW).health is Health.WARNING
