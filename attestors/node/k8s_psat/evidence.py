"""The agent's half: it shows the token that its kubelet projects into its pod (QN-02)."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from attestors.node.k8s_psat import payload as wire
from finial.runtime.settings import setting
from finial.spiffe.refusal import Kind, Refusal


@dataclass(frozen=True, slots=True)
class Settings:
    """The cluster's name as the server knows it, and where the token lies, named as in SPIRE.

    The token is read at each attestation, because the kubelet renews it. Its audience is one that
    the server asks for.
    """

    cluster: str = setting(
        check=lambda name: f"is wrong: {fault}" if (fault := wire.fault_of_cluster(name)) else None
    )
    token_path: str = "/var/run/secrets/tokens/spire-agent"  # noqa: S105 - a path


class K8sPsatEvidence:
    """Shows the token; there is no challenge."""

    name = wire.NAME

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def payload(self) -> bytes:
        """Return the cluster's name and the token.

        Raises: Refusal of kind PRECONDITION.
        """
        token = await asyncio.to_thread(_read, self._settings.token_path)
        return wire.encode(wire.Claim(self._settings.cluster, token))

    async def respond(self, challenge: bytes) -> bytes:
        """Refuse: a token is everything that there is to say.

        Raises: Refusal of kind INVALID.
        """
        raise Refusal(Kind.INVALID, f"{wire.NAME}: there is no challenge in this attestation")


def create(settings: Settings) -> K8sPsatEvidence:
    """Make the evidence; no file is read yet."""
    return K8sPsatEvidence(settings)


def _read(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            token = file.read(wire.MAX_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise _unusable(path, f"cannot be read ({reason})") from error
    if not wire.is_token(token):
        raise _unusable(path, "holds no token")
    return token


def _unusable(path: str, fault: str) -> Refusal:
    return Refusal(
        Kind.PRECONDITION,
        f"{wire.NAME}: the token in {path} {fault}",
        field="token_path",
        value=path,
        remedy="project a service account token there, with an audience that the server asks for",
    )
