"""What is shown: a live view on a terminal, plain lines elsewhere, and the last line of JSON."""

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from administration import Operator
from configuration import spiffe_id
from processes import Proxy
from traffic import BUY, GOOD, Traffic

from finial.spiffe.certificate import authority_key_id

NEEDED_LEAVES = 3
NEEDED_AUTHORITIES = 1
LOOK_EVERY = 0.5


@dataclass
class Rotations:
    """The certificates that one Envoy had, and by which authorities."""

    serials: list[int] = field(default_factory=list)
    authorities: list[str] = field(default_factory=list)
    expires_at: float = 0.0

    def look(self, proxy: Proxy) -> None:
        """See what it has now."""
        found = proxy.certificate()
        if found is None:
            return
        if found.serial_number not in self.serials:
            self.serials.append(found.serial_number)
        authority = authority_key_id(found)
        if authority not in self.authorities:
            self.authorities.append(authority)
        self.expires_at = found.not_valid_after_utc.timestamp()

    @property
    def leaves(self) -> int:
        """How often the certificate was replaced."""
        return max(len(self.serials) - 1, 0)

    @property
    def of_authority(self) -> int:
        """How often it was by one of another authority."""
        return max(len(self.authorities) - 1, 0)


class Board:
    """All figures, and how to show them."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.phase = "starting"
        self.traffic: Traffic | None = None
        self.rotations: dict[str, Rotations] = {}
        self.audited = 0
        self.not_shown: list[str] = []
        self.block: dict = {}
        self.fault = ""
        self._proxies: list[Proxy] = []
        self._live = None
        self._looked_at = self._told_at = 0.0

    def watch(self, traffic: Traffic, proxies: list[Proxy]) -> None:
        """Begin to show this."""
        self.traffic, self._proxies = traffic, proxies
        self.rotations = {each.place.name: Rotations() for each in proxies}

    def __enter__(self) -> "Board":
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(self._view(), refresh_per_second=8)
            self._live.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        if self._live is not None:
            self._live.update(self._view())
            self._live.__exit__(*details)

    def show(self) -> None:
        """Show how it stands."""
        if time.monotonic() - self._looked_at > LOOK_EVERY:
            self._looked_at = time.monotonic()
            for proxy in self._proxies:
                self.rotations[proxy.place.name].look(proxy)
        if self._live is not None:
            self._live.update(self._view())
        elif time.monotonic() - self._told_at > 2:
            self._told_at = time.monotonic()
            self._tell()

    def watch_until(self, end: float) -> None:
        """Show how it stands until an instant of the monotonic clock."""
        while time.monotonic() < end:
            self.show()
            time.sleep(0.1)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.begun

    @property
    def refusals(self) -> Counter:
        """All refusals by rule or reason."""
        found: Counter = Counter()
        if self.traffic is not None:
            found.update(self.traffic.intrusions)
            for tally in self.traffic.tallies.values():
                found.update(tally.refused)
        return found

    @property
    def is_good(self) -> bool:
        """Whether everything came as it should."""
        if self.fault or self.traffic is None or self.traffic.failed or self.traffic.let_in:
            return False
        rotated = all(
            each.leaves >= NEEDED_LEAVES and each.of_authority >= NEEDED_AUTHORITIES
            for each in self.rotations.values()
        )
        called = all(each.outcomes for each in self.traffic.tallies.values())
        wanted = {"no_rule", "no_certificate", "forged_certificate"}
        if not self.not_shown:
            wanted.add("socket_mode")
        tried = wanted <= self.refusals.keys() and self.traffic.shadowed > 0 and self.audited > 0
        return rotated and called and tried and self._is_out

    @property
    def _is_out(self) -> bool:
        """Whether nothing got through that was blocked, if something was."""
        return not self.block or (
            self.block["passed_after"] == 0
            and self.block["identity_refused"] > 0
            and self.block["serial_refused"] > 0
        )

    def verdict(self) -> str:
        """Write the figures as one line of JSON."""
        said: dict = {"ok": self.is_good, "seconds": round(self.elapsed, 1)}
        if self.traffic is not None:
            tallies = self.traffic.tallies
            said |= {
                "calls": {name: tally.calls for name, tally in tallies.items()},
                "requests": self._requests(),
                "failed": self.traffic.failed,
                "refusals": dict(sorted(self.refusals.items())),
                "let_in": self.traffic.let_in[:3],
                "shadowed": self.traffic.shadowed,
                "denials_audited": self.audited,
                "rotations": {
                    name: {"leaves": each.leaves, "authorities": each.of_authority}
                    for name, each in self.rotations.items()
                },
            }
            faults = [each for tally in tallies.values() for each in tally.faults]
            said |= {"faults": faults[:5]} if faults else {}
        said |= {"block": self.block} if self.block else {}
        said |= {"not_shown": self.not_shown} if self.not_shown else {}
        said |= {"fault": self.fault} if self.fault else {}
        return json.dumps(said)

    def count_audited(self, operator: Operator) -> None:
        """Look into the agent's audit log for the gateway that was refused at payment."""
        self.audited = operator.audited(
            caller=spiffe_id("gateway"), callee=spiffe_id("payment"), reason="no_rule",
            decision="denied",
        )  # fmt: skip

    def _requests(self) -> int:
        """Requests between Envoys: a purchase needs two."""
        tallies = self.traffic.tallies
        return sum(each.calls for each in tallies.values()) + tallies[BUY.name].outcomes[GOOD]

    def _tell(self) -> None:
        if self.traffic is None:
            return
        good = {name: tally.outcomes[GOOD] for name, tally in self.traffic.tallies.items()}
        refused = " ".join(f"{why}={count}" for why, count in sorted(self.refusals.items()))
        leaves = min(each.leaves for each in self.rotations.values())
        authorities = min(each.of_authority for each in self.rotations.values())
        print(
            f"{self.elapsed:5.1f} s  {self.phase:<8} good {sum(good.values()):>5}"
            f"  rotated {leaves} leaves {authorities} authorities"
            f"  failed {self.traffic.failed}  refused {refused}",
            flush=True,
        )

    def _view(self) -> object:
        from rich.console import Group
        from rich.text import Text

        if self.traffic is None:
            return Text(self.phase)
        title = f"the shop, {self.elapsed:.0f} s, policies: {self.phase}"
        tried = ", ".join(f"{why} {count}" for why, count in self.traffic.intrusions.items())
        return Group(self._calls(title), self._envoys(), Text(f"an intruder was refused: {tried}"))

    def _calls(self, title: str) -> object:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("calls", no_wrap=True)
        for heading in ("good", "refused", "failed", "ms"):
            table.add_column(heading, justify="right")
        for name, tally in self.traffic.tallies.items():
            refused = ", ".join(f"{why} {count}" for why, count in tally.refused.items())
            table.add_row(
                name,
                f"[green]{tally.outcomes[GOOD]}[/]",
                f"[yellow]{refused or 0}[/]",
                f"[red]{tally.failed}[/]" if tally.failed else "0",
                f"{tally.median:.1f}",
            )
        return table

    def _envoys(self) -> object:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for heading in ("Envoy of", "serial", "time left"):
            table.add_column(heading, no_wrap=True)
        for heading in ("rotated", "authority"):
            table.add_column(heading, justify="right")
        for name, each in self.rotations.items():
            left = max(each.expires_at - time.time(), 0.0)
            serial = f"{each.serials[-1]:x}"[-8:] if each.serials else ""
            bar = f"[green]{'█' * round(left / 2):<6}[/] {left:4.1f} s"
            table.add_row(
                spiffe_id(name), f"..{serial}", bar, str(each.leaves), str(each.of_authority)
            )
        return table
