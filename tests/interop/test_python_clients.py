"""The public `spiffe` and `spiffe-tls` packages, in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.programs import Up, eventually, finial, running, up

FOLDER = Path(__file__).parent
IDENTITY = "spiffe://example.org/judge"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("python-clients")]


@pytest.fixture(scope="module")
def world() -> Iterator[Up]:
    """A CA that rotates every few seconds, and an entry for this user."""
    with up("--svid-ttl=8s", "--ca-ttl=32s", "--no-rate-limits") as running_up:
        running_up.register("/judge", f"unix:uid:{os.getuid()}")
        eventually(
            lambda: finial("fetch", "x509", env=environment(running_up)).returncode == 0,
            what="the judge has an identity",
        )
        yield running_up


def environment(world: Up) -> dict[str, str]:
    return {**os.environ, "SPIFFE_ENDPOINT_SOCKET": f"unix://{world['workload_socket']}"}


def script(world: Up, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(world),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_handshake_fails_while_the_ca_itself_rotates(world: Up) -> None:
    """Prepare, activate and retire pass under traffic without one failed handshake (FED-03)."""
    server = [sys.executable, str(FOLDER / "handshakes.py"), "serve", IDENTITY]
    with running(server, environment(world)) as serving:
        assert serving.stdout
        address = serving.stdout.readline().strip()
        done = subprocess.run(
            [sys.executable, str(FOLDER / "handshakes.py"), "call", address, IDENTITY, "50"],
            env=environment(world),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert not seen["failures"], seen
    assert seen["made"] > 100, seen
    assert len(seen["authorities"]) >= 3, seen


def test_the_spiffe_package_fetches_x509_svids_and_bundles(world: Up) -> None:
    """SPF-04, WAPI-19, WAPI-29: SVID and bundles come as the package expects them."""
    printed = script(
        world,
        "from spiffe import WorkloadApiClient\n"
        "with WorkloadApiClient() as client:\n"
        "    context = client.fetch_x509_context()\n"
        "    bundles = client.fetch_x509_bundles()\n"
        "    td = context.default_svid.spiffe_id.trust_domain\n"
        "    assert bundles.get_bundle_for_trust_domain(td).x509_authorities\n"
        "    print(context.default_svid.spiffe_id)\n",
    )
    assert printed.strip() == IDENTITY


def test_the_spiffe_package_fetches_and_validates_jwt_svids(world: Up) -> None:
    """JWT-01, WAPI-32, WAPI-41: a token is fetched, validated here and validated by the agent."""
    printed = script(
        world,
        "from spiffe import WorkloadApiClient, JwtSvid\n"
        "with WorkloadApiClient() as client:\n"
        "    token = client.fetch_jwt_svid(audience={'db', 'cache'})\n"
        "    bundles = client.fetch_jwt_bundles()\n"
        "    bundle = bundles.get_bundle_for_trust_domain(token.spiffe_id.trust_domain)\n"
        "    JwtSvid.parse_and_validate(token.token, bundle, {'db'})\n"
        "    print(client.validate_jwt_svid(token.token, 'cache').spiffe_id)\n",
    )
    assert printed.strip() == IDENTITY


def test_the_spiffe_package_sees_a_rotation(world: Up) -> None:
    """WAPI-10: an X509Source is told of each new SVID."""
    printed = script(
        world,
        "import time\n"
        "from spiffe import X509Source\n"
        "with X509Source() as source:\n"
        "    seen = set()\n"
        "    end = time.monotonic() + 30\n"
        "    while len(seen) < 3 and time.monotonic() < end:\n"
        "        seen.add(source.get_x509_context().default_svid.leaf.serial_number)\n"
        "        time.sleep(0.1)\n"
        "    print(len(seen))\n",
    )
    assert printed.strip() == "3"
