"""What the demo shows: a live table on a terminal, plain lines elsewhere, and the last figures."""

import json
import sys
import time
from dataclasses import dataclass, field

NEEDED_ROTATIONS = 3


@dataclass
class Row:
    """What one service last said of itself."""

    name: str
    said: dict = field(default_factory=dict)

    @property
    def rotations(self) -> int:
        """How often its SVID was replaced."""
        return self.said.get("rotations", 0)

    @property
    def failed(self) -> int:
        """How many of its calls failed."""
        return self.said.get("failed", 0)

    @property
    def calls(self) -> int:
        """How many calls it made or answered."""
        return self.said.get("calls", 0)

    @property
    def seconds_left(self) -> float:
        """How long its SVID still lives."""
        return max(self.said.get("expires_at", 0.0) - time.time(), 0.0)


class Scoreboard:
    """Both rows, and how to show them."""

    def __init__(self, names: tuple[str, str]) -> None:
        self.rows = [Row(name) for name in names]
        self._begun = time.monotonic()
        self._live = None
        self._told_at = 0.0

    def __enter__(self) -> "Scoreboard":
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(self._table(), refresh_per_second=8)
            self._live.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        if self._live is not None:
            self._live.update(self._table())
            self._live.__exit__(*details)

    def show(self) -> None:
        """Show how it stands."""
        if self._live is not None:
            self._live.update(self._table())
        elif time.monotonic() - self._told_at > 2:
            self._told_at = time.monotonic()
            for row in self.rows:
                serial = row.said.get("serial", "?")
                print(
                    f"{self.elapsed:5.1f} s  {row.name:<8} serial ..{serial:<8} "
                    f"{row.seconds_left:4.1f} s left  {row.rotations} rotations  "
                    f"{row.calls} calls  {row.failed} failed",
                    flush=True,
                )

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    @property
    def is_good(self) -> bool:
        """Whether both rotated at least three times, and no call failed."""
        return all(
            row.rotations >= NEEDED_ROTATIONS and row.calls > 0 and row.failed == 0
            for row in self.rows
        )

    def verdict(self) -> str:
        """Write the figures as one line of JSON."""
        services = [
            {
                "name": row.name,
                "spiffe_id": row.said.get("spiffe_id", ""),
                "rotations": row.rotations,
                "calls": row.calls,
                "failed": row.failed,
                **({"error": row.said["error"]} if row.said.get("error") else {}),
            }
            for row in self.rows
        ]
        return json.dumps(
            {"ok": self.is_good, "seconds": round(self.elapsed, 1), "services": services}
        )

    def _table(self) -> object:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        title = f"two services over rotated mTLS, {self.elapsed:.0f} s"
        table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False)
        for heading in ("SPIFFE ID", "serial", "time left"):
            table.add_column(heading, no_wrap=True)
        for heading in ("rotated", "calls", "failed"):
            table.add_column(heading, justify="right")
        for row in self.rows:
            left = row.seconds_left
            colour = "green" if left > 2 else "yellow"
            table.add_row(
                row.said.get("spiffe_id", "waiting for its identity"),
                f"..{row.said.get('serial', '')[-6:]}",
                f"[{colour}]{'█' * round(left / 3):<3}[/] {left:3.1f} s",
                str(row.rotations),
                str(row.calls),
                f"[red]{row.failed}[/]" if row.failed else "0",
            )
        return table
