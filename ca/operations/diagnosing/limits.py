"""Limits that somebody met, and settings that do not go together."""

from typing import Final

from ca.operations.world import World
from finial.explain.checkup import many, ok, some, span, warning
from finial.explain.diagnosis import Diagnosis

RATE_LIMITS: Final = "rate limits"
LIFETIMES: Final = "lifetimes"
_OF_A_CA: Final = 6


def judge_rate_limits(world: World) -> Diagnosis:
    """Who was refused in the last hour for asking too often."""
    met = world.journal.exhaustion.last_hour()
    if not met:
        return ok(RATE_LIMITS, "nobody was refused in the last hour for asking too often")
    names = [f"{method} by {who or 'somebody'} ({count})" for (method, who), count in met.items()]
    return warning(
        RATE_LIMITS,
        f"{many(sum(met.values()), 'call was', 'calls were')} refused in the last hour: "
        f"{some(names)}",
        "see what repeats itself there, or raise the limit in [server.ratelimit]",
    )


def judge_lifetimes(world: World) -> Diagnosis:
    """Whether SVIDs fit into the lives of the authorities that sign them (SC-10)."""
    profiles = world.profiles
    longest = profiles.ca_ttl / _OF_A_CA
    settings = {
        "default_x509_svid_ttl": profiles.x509_svid_ttl,
        "agent_ttl": profiles.agent_ttl,
    }
    for name, seconds in settings.items():
        if seconds > longest:
            return warning(
                LIFETIMES,
                f"{name} of {span(seconds)} is longer than a sixth of ca_ttl "
                f"({span(profiles.ca_ttl)}): SVIDs will often be cut short",
                "make ca_ttl longer or the other shorter",
            )
    return ok(
        LIFETIMES,
        f"authorities {span(profiles.ca_ttl)}, X.509-SVIDs {span(profiles.x509_svid_ttl)}, "
        f"JWT-SVIDs {span(profiles.jwt_svid_ttl)}",
    )
