"""What the Workload API answered: described, told and written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from cli.printing import instant, plain
from finial.runtime.files import write_private, write_public
from finial.spiffe.jwt_svid import JwtSvid
from finial.spiffe.x509_svid import split_der

_PEM: Final = Encoding.PEM


def describe_x509(answer: Any) -> dict[str, Any]:
    """Make a document of X509-SVIDs, without their keys."""
    return {"svids": [dict(_described(svid)) for svid in answer.svids]}


def tell_x509(answer: Any, folder: Path | None) -> None:
    """Tell people about X509-SVIDs."""
    for index, svid in enumerate(answer.svids):
        found = dict(_described(svid))
        hint = f"  ({plain(found['hint'])})" if found["hint"] else ""
        click.echo(f"{plain(found['spiffe_id'])}{hint}")
        click.echo(f"  serial {found['serial']}, {found['not_before']} to {found['not_after']}")
        if folder is not None:
            click.echo(f"  wrote {folder}/svid.{index}.pem, svid.{index}.key, bundle.{index}.pem")


def write_x509(answer: Any, folder: Path) -> None:
    """Write each SVID as svid.N.pem, svid.N.key (0600) and bundle.N.pem, as SPIRE names them."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, svid in enumerate(answer.svids):
        key = load_der_private_key(svid.x509_svid_key, None)
        pkcs8 = key.private_bytes(_PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(folder / f"svid.{index}.key", pkcs8)
        write_public(folder / f"svid.{index}.pem", _pem(svid.x509_svid))
        write_public(folder / f"bundle.{index}.pem", _pem(svid.bundle))
    for index, (_, der) in enumerate(sorted(answer.federated_bundles.items())):
        write_public(folder / f"federated_bundle.{index}.pem", _pem(der))


def describe_jwt(answer: Any, *, with_token: bool) -> dict[str, Any]:
    """Make a document of JWT-SVIDs."""
    return {"svids": [dict(_described_jwt(svid, with_token)) for svid in answer.svids]}


def tell_jwt(answer: Any, folder: Path | None) -> None:
    """Print each JWT-SVID, or where it was written."""
    for index, svid in enumerate(answer.svids):
        if folder is None:
            click.echo(plain(svid.svid))
        else:
            click.echo(f"{plain(svid.spiffe_id)}: wrote {folder}/jwt_svid.{index}.token")


def write_jwt(answer: Any, folder: Path) -> None:
    """Write each JWT-SVID as jwt_svid.N.token (0600)."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, svid in enumerate(answer.svids):
        write_private(folder / f"jwt_svid.{index}.token", svid.svid.encode())


def describe_bundles(answer: Any, kind: str) -> dict[str, Any]:
    """Make a document of bundles: PEM certificates or JWK Sets by trust domain."""
    return {
        "bundles": {name: _bundle(value, kind) for name, value in sorted(answer.bundles.items())}
    }


def tell_bundles(answer: Any, kind: str, folder: Path | None) -> None:
    """Print each bundle, or where it was written."""
    for name, value in sorted(answer.bundles.items()):
        if folder is not None:
            click.echo(f"{plain(name)}: wrote {_bundle_file(folder, name, kind)}")
            continue
        click.echo(plain(name))
        shown = _bundle(value, kind)
        click.echo(shown if isinstance(shown, str) else json.dumps(shown, indent=2))


def write_bundles(answer: Any, kind: str, folder: Path) -> None:
    """Write each bundle as <trust domain>.pem or <trust domain>.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in answer.bundles.items():
        content = _pem(value) if kind == "x509" else value
        write_public(_bundle_file(folder, name, kind), content)


def _described(svid: Any) -> Iterator[tuple[str, Any]]:
    leaf = x509.load_der_x509_certificate(split_der(svid.x509_svid)[0])
    yield "spiffe_id", svid.spiffe_id
    yield "hint", svid.hint
    yield "serial", str(leaf.serial_number)
    yield "not_before", instant(leaf.not_valid_before_utc.timestamp())
    yield "not_after", instant(leaf.not_valid_after_utc.timestamp())
    yield "x509_svid", _pem(svid.x509_svid).decode()
    yield "bundle", _pem(svid.bundle).decode()


def _described_jwt(svid: Any, with_token: bool) -> Iterator[tuple[str, Any]]:
    parsed = JwtSvid.parse_unverified(svid.svid)
    yield "spiffe_id", svid.spiffe_id
    yield "hint", svid.hint
    yield "audience", list(parsed.audience)
    yield "issued_at", instant(parsed.issued_at)
    yield "expires_at", instant(parsed.expires_at)
    if with_token:
        yield "svid", svid.svid


def _bundle(value: bytes, kind: str) -> Any:
    return _pem(value).decode() if kind == "x509" else json.loads(value)


def _bundle_file(folder: Path, name: str, kind: str) -> Path:
    # A trust domain's name holds no slash, so that it cannot lead elsewhere; an agent's word for
    # it might.
    bare = name.removeprefix("spiffe://").replace("/", "_")
    return folder / f"{bare}.{'pem' if kind == 'x509' else 'json'}"


def _pem(der: bytes) -> bytes:
    return b"".join(
        x509.load_der_x509_certificate(one).public_bytes(_PEM) for one in split_der(der)
    )
