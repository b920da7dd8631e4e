"""What is shown: a live view on a terminal, plain lines elsewhere."""

import sys
import time
from collections import Counter

from configuration import spiffe_id
from processes import Proxy
from rotations import Rotations
from traffic import GOOD, Traffic

LOOK_EVERY = 0.5


class Board:
    """All figures, and how to show them."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.phase = "starting"
        self.traffic: Traffic | None = None
        self.rotations: dict[str, Rotations] = {}
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
            serial, expires_at = each.latest
            left = max(expires_at - time.time(), 0.0)
            bar = f"[green]{'█' * round(left / 2):<6}[/] {left:4.1f} s"
            table.add_row(
                spiffe_id(name),
                f"..{serial:x}"[-10:],
                bar,
                str(each.leaves),
                str(each.of_authority),
            )
        return table
