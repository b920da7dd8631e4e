"""Where an agent stands in the REST API."""

import click


def agent_resource(agent_id: str) -> str:
    """Find the resource of an agent; a path below /spire/agent may be given instead of the ID."""
    from finial.spiffe.identity import SpiffeId

    if not agent_id.startswith("spiffe://"):
        return f"/v1/agents/{agent_id.strip('/')}"
    prefix = "/spire/agent/"
    path = SpiffeId.parse(agent_id).path
    if not path.startswith(prefix):
        raise click.UsageError(f"{agent_id} is not the SPIFFE ID of an agent (…{prefix}…)")
    return f"/v1/agents/{path.removeprefix(prefix)}"
