"""Who may call which RPC of the server: one table (spire-features section 5)."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from finial.spiffe.identity import SpiffeId
from finial.spiffe.refusal import Kind, Refusal


class Ground(enum.Flag):
    """What lets someone call; a caller may have several, a method may accept several."""

    LOCAL = enum.auto()
    ADMIN = enum.auto()
    DOWNSTREAM = enum.auto()
    AGENT = enum.auto()
    ANYONE = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: `local` came through the server's own socket, the others by their SVID.

    `id` is None for a local caller and for one without a certificate. `agent` is true only of an
    agent whose standing has been judged.
    """

    local: bool = False
    admin: bool = False
    downstream: bool = False
    agent: bool = False
    id: SpiffeId | None = None


ANYONE: Final = Caller()

_LA: Final = Ground.LOCAL | Ground.ADMIN
_G: Final = Ground.AGENT
_D: Final = Ground.DOWNSTREAM


def _rows(service: str, allowed: Ground, *rpcs: str) -> dict[str, Ground]:
    return {f"/{service}/{rpc}": allowed for rpc in rpcs}


_AGENT = "spire.api.server.agent.v1.Agent"
_BUNDLE = "spire.api.server.bundle.v1.Bundle"
_ENTRY = "spire.api.server.entry.v1.Entry"
_SVID = "spire.api.server.svid.v1.SVID"
_TRUST_DOMAIN = "spire.api.server.trustdomain.v1.TrustDomain"
_LOCAL_AUTHORITY = "spire.api.server.localauthority.v1.LocalAuthority"
_LOGGER = "spire.api.server.logger.v1.Logger"
_DEBUG = "spire.api.server.debug.v1.Debug"

# One row a line, as in spire-features section 5 (RP-01 to RP-17).
# fmt: off
PERMISSIONS: Final[Mapping[str, Ground]] = MappingProxyType({
    **_rows(_AGENT, Ground.ANYONE, "AttestAgent"),
    **_rows(_AGENT, _G, "RenewAgent", "PostStatus"),
    **_rows(_AGENT, _LA, "CountAgents", "ListAgents", "GetAgent"),
    **_rows(_AGENT, _LA, "DeleteAgent", "BanAgent", "CreateJoinToken"),
    **_rows(_BUNDLE, Ground.ANYONE, "GetBundle"),
    **_rows(_BUNDLE, _LA | _G, "GetFederatedBundle"),
    **_rows(_BUNDLE, _D, "PublishJWTAuthority", "PublishWITAuthority"),
    **_rows(_BUNDLE, _LA, "AppendBundle", "CountBundles", "ListFederatedBundles"),
    **_rows(_BUNDLE, _LA, "BatchCreateFederatedBundle", "BatchUpdateFederatedBundle"),
    **_rows(_BUNDLE, _LA, "BatchSetFederatedBundle", "BatchDeleteFederatedBundle"),
    **_rows(_ENTRY, _G, "GetAuthorizedEntries", "SyncAuthorizedEntries"),
    **_rows(_ENTRY, _LA, "CountEntries", "ListEntries", "GetEntry"),
    **_rows(_ENTRY, _LA, "BatchCreateEntry", "BatchUpdateEntry", "BatchDeleteEntry"),
    **_rows(_SVID, _G, "BatchNewX509SVID", "NewJWTSVID", "BatchNewWITSVID"),
    **_rows(_SVID, _D, "NewDownstreamX509CA"),
    **_rows(_SVID, _LA, "MintX509SVID", "MintJWTSVID", "MintWITSVID"),
    **_rows(_TRUST_DOMAIN, _LA, "ListFederationRelationships", "GetFederationRelationship"),
    **_rows(_TRUST_DOMAIN, _LA, "BatchCreateFederationRelationship"),
    **_rows(_TRUST_DOMAIN, _LA, "BatchUpdateFederationRelationship"),
    **_rows(_TRUST_DOMAIN, _LA, "BatchDeleteFederationRelationship", "RefreshBundle"),
    **_rows(_LOCAL_AUTHORITY, _LA, "GetJWTAuthorityState", "PrepareJWTAuthority"),
    **_rows(_LOCAL_AUTHORITY, _LA, "ActivateJWTAuthority", "TaintJWTAuthority"),
    **_rows(_LOCAL_AUTHORITY, _LA, "RevokeJWTAuthority"),
    **_rows(_LOCAL_AUTHORITY, _LA, "GetX509AuthorityState", "PrepareX509Authority"),
    **_rows(_LOCAL_AUTHORITY, _LA, "ActivateX509Authority", "TaintX509Authority"),
    **_rows(_LOCAL_AUTHORITY, _LA, "TaintX509UpstreamAuthority", "RevokeX509Authority"),
    **_rows(_LOCAL_AUTHORITY, _LA, "RevokeX509UpstreamAuthority"),
    **_rows(_LOCAL_AUTHORITY, _LA, "GetWITAuthorityState", "PrepareWITAuthority"),
    **_rows(_LOCAL_AUTHORITY, _LA, "ActivateWITAuthority", "TaintWITAuthority"),
    **_rows(_LOCAL_AUTHORITY, _LA, "RevokeWITAuthority"),
    **_rows(_LOGGER, Ground.LOCAL, "GetLogger", "SetLogLevel", "ResetLogLevel"),
    **_rows(_DEBUG, Ground.LOCAL, "GetInfo"),
    **_rows("grpc.health.v1.Health", Ground.LOCAL, "Check", "List", "Watch"),
    **_rows("grpc.reflection.v1.ServerReflection", Ground.LOCAL, "ServerReflectionInfo"),
    **_rows("grpc.reflection.v1alpha.ServerReflection", Ground.LOCAL, "ServerReflectionInfo"),
    **_rows("finial.agent.v1.Follow", _G, "Follow"),
    **_rows("finial.agent.v1.Bootstrap", Ground.ANYONE, "GetProvenBundle"),
})
# fmt: on


def allowed(method: str) -> Ground:
    """What lets someone call that method, `/package.Service/Rpc`; nothing, when it has no row."""
    return PERMISSIONS.get(method, Ground(0))


def authorize(method: str, caller: Caller) -> Ground:
    """Return the first reason for which the caller may call; an agent is never a local caller.

    Raises: Refusal of kind DENIED.
    """
    accepted = allowed(method)
    for reason, true in (
        (Ground.ANYONE, True),
        (Ground.LOCAL, caller.local),
        (Ground.ADMIN, caller.admin),
        (Ground.DOWNSTREAM, caller.downstream),
        (Ground.AGENT, caller.agent and not caller.local),
    ):
        if true and reason in accepted:
            return reason
    raise Refusal(Kind.DENIED, f"authorization denied for method {method}")
