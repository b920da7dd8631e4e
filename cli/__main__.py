"""The command `finial`: `finial --help` lists what it does."""

import sys

import click

from cli.lazy import Later, LazyGroup

_COMMANDS = {
    "up": Later("cli.up.command", "up", "run a server and an agent for development"),
    "ca": Later("cli.commands.ca", "ca", "run the CA server"),
    "agent": Later("cli.commands.agent", "agent", "run a node's agent; list, ban, evict agents"),
    "entry": Later("cli.commands.entry", "entry", "say which workload gets which identity"),
    "token": Later("cli.commands.token", "token", "let a node join"),
    "api-token": Later("cli.commands.api_token", "api_token", "let an administrator in over HTTPS"),
    "bundle": Later("cli.commands.bundle", "bundle", "show or export the trust bundle"),
    "authority": Later("cli.commands.bundle", "authority", "list the signing keys"),
    "block": Later("cli.commands.block", "block", "lock something out everywhere, at once"),
    "unblock": Later("cli.commands.block", "unblock", "lift a block"),
    "blocks": Later("cli.commands.block", "blocks", "list what is blocked"),
    "identity": Later("cli.commands.identity", "identity", "say how an identity stands"),
    "policy": Later("cli.commands.policy", "policy", "say who may call whom"),
    "top": Later("cli.commands.top", "top", "show who calls whom, live"),
    "fetch": Later("cli.commands.fetch", "fetch", "fetch SVIDs and bundles, as a workload"),
    "sidecar": Later("cli.commands.sidecar", "sidecar", "keep SVIDs as files for other programs"),
    "validate": Later("cli.commands.validate", "validate", "validate a JWT-SVID, as a workload"),
    "mint": Later("cli.commands.mint", "mint", "sign an SVID by hand"),
    "explain": Later("cli.commands.explain", "explain", "say why a process has no identity"),
    "simulate": Later("cli.commands.explain", "simulate", "say what a process would get"),
    "healthcheck": Later("cli.commands.healthcheck", "healthcheck", "ask whether both are well"),
    "doctor": Later("cli.commands.doctor", "doctor", "look for what is wrong, and say what to do"),
    "inspect": Later("cli.commands.inspect", "inspect", "show and judge an SVID, bundle or token"),
}


@click.group(
    cls=LazyGroup,
    later=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done, 1 refused, 2 wrong usage, 3 not found, 4 unreachable.",
)
@click.version_option(package_name="finial", prog_name="finial")
def root() -> None:
    """SPIFFE identity for every process.

    Start with `finial up --dir /tmp/finial`, which prints what to try next.
    """


def main() -> None:
    """Run the command line and end with its exit status."""
    from cli.outcome import run

    sys.exit(run(root, sys.argv[1:]))


if __name__ == "__main__":
    main()
