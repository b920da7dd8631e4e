"""`make mesh`: a shop whose services have an Envoy each, and no line of TLS.

Runs until Ctrl-C, or for DURATION seconds. With KILL=1 the certificate of orders and then its
identity are blocked at the end, under traffic. Exit status 0 only if nothing failed, everything
was refused that had to be, and every certificate rotated, by another authority as well.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from administration import Operator, forge
from blocking import block_identity, block_serials
from board import Board
from configuration import TRUST_DOMAIN, spiffe_id
from ground import Ground, prepare
from processes import Proxy, intruder, proxies, service, until, up
from traffic import ENFORCE, ERRANDS, GOOD, SHADOW, SHORTCUT, Traffic
from verdict import Verdict

CA_TTL, SVID_TTL = "30s", "8s"
SHADOW_SECONDS = 4.0


def main() -> int:
    """Run the shop and return its exit status."""
    duration = _duration(os.environ.get("DURATION", ""))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    board = Board()
    verdict = Verdict(board)
    try:
        with _folder("finial-mesh-") as folder, _folder("finial-shop-") as stage:
            _run(folder, stage, verdict, duration)
    except KeyboardInterrupt:
        print()
    except (OSError, RuntimeError, subprocess.SubprocessError, httpx.HTTPError) as fault:
        verdict.fault = f"{type(fault).__name__}: {fault}"
        print(f"the shop cannot go on: {fault}", file=sys.stderr)
    if verdict.audited:
        print(f"the last of these denials in the agent's audit log: {verdict.audited[-1]}")
    print(verdict.line(), flush=True)
    return 1 if verdict.missing else 0


def _duration(text: str) -> float:
    try:
        return float(text or "inf")
    except ValueError:
        raise SystemExit(f"DURATION is a number of seconds, such as 40, not {text!r}") from None


def _run(folder: Path, stage: Path, verdict: Verdict, duration: float) -> None:
    print(f"starting a CA server and an agent in {folder} (finial up) ...", flush=True)
    flags = ["--trust-domain", TRUST_DOMAIN, "--ca-ttl", CA_TTL, "--svid-ttl", SVID_TTL]
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(up(folder, *flags))
        ground = prepare(stage)
        operator = Operator(folder, made)
        operator.register(ground)
        operator.apply()
        operator.set_mode(SHADOW)
        running = _begin(stack, ground, Path(made["workload_socket"]))
        _explain(made, ground, verdict)
        traffic = Traffic(ground)
        until(lambda: all(traffic.call(each)[0] == GOOD for each in ERRANDS), "calls get through")
        payment = running[0].port
        traffic.follow(stack.enter_context(intruder(ground, payment, forge(stage))))
        stack.callback(traffic.end)
        traffic.begin()
        board = verdict.board
        board.watch(traffic, running)
        stack.enter_context(board)
        try:
            _act(verdict, traffic, operator, duration)
        finally:
            verdict.audited = _audited(operator)
        if os.environ.get("KILL"):
            by_serial = block_serials(board, traffic, operator, running[1])
            verdict.block = by_serial | block_identity(board, traffic, operator)


def _begin(stack: contextlib.ExitStack, ground: Ground, agent: Path) -> list[Proxy]:
    """Start the Envoys and their services."""
    running = []
    for proxy in proxies(ground, agent):
        stack.callback(proxy.stop)
        proxy.start()
        until(proxy.is_ready, f"the Envoy of {proxy.place.name} serves")
        running.append(proxy)
    for place in ground.places.values():
        stack.enter_context(service(ground, place))
    return running


def _act(verdict: Verdict, traffic: Traffic, operator: Operator, duration: float) -> None:
    """Shadow first, then enforce, for all the time that there is."""
    board = verdict.board
    end = time.monotonic() + duration
    board.phase = SHADOW
    board.watch_until(min(end, time.monotonic() + SHADOW_SECONDS))
    verdict.would_deny = operator.report()
    traffic.accepted = frozenset({SHADOW, ENFORCE})
    operator.set_mode(ENFORCE)
    until(lambda: traffic.call(SHORTCUT)[0] == "no_rule", "gateway is refused at payment")
    traffic.accepted = frozenset({ENFORCE})
    board.phase = ENFORCE
    board.watch_until(end)


def _audited(operator: Operator) -> list[str]:
    """Find in the agent's audit log that gateway was refused at payment."""
    return operator.audited(
        caller=spiffe_id("gateway"),
        callee=spiffe_id("payment"),
        decision="denied",
        reason="no_rule",
    )


def _explain(made: dict, ground: Ground, verdict: Verdict) -> None:
    print(f"\n  server  pid {made['server_pid']}, authorities live {CA_TTL}, SVIDs {SVID_TTL}")
    print(f"  agent   pid {made['agent_pid']}, {made['agent_id']}\n")
    for place in ground.places.values():
        who = " and ".join(place.selectors)
        print(f"  {spiffe_id(place.name):<30} is the Envoy of {who}")
    print("""
Services meet their Envoys on Unix sockets. Between the Envoys is mTLS with certificates from the
agent, which they also ask about every request. Gateway may call orders; orders and batch may call
payment; gateway tries payment, too. Policies are in shadow at first and then enforced, while
certificates and authorities rotate.""")
    if not ground.is_divided:
        verdict.not_shown.append("other users kept out by the modes of sockets")
        print("""
All runs as your user, and Envoys are told apart by their paths: no security boundary between
processes of one user. As root each service and each Envoy has a uid of its own.""")
    print(flush=True)


@contextlib.contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
