"""Customers, a nightly batch that runs all day, and what came of each call.

A call is good, refused for a reason, or failed. What has to come of it depends on the phase; while
a phase changes, the old and the new are both right.
"""

import itertools
import json
import statistics
import subprocess
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from configuration import spiffe_id
from ground import Ground
from shop import post

GOOD = "good"
CUT_OFF = "cut_off"
"""An Envoy without a certificate: it has been taken away, so that there is no connection."""
SHADOW, ENFORCE, SERIAL, BLOCKED = "shadow", "enforce", "serial blocked", "orders blocked"


@dataclass(frozen=True)
class Errand:
    """Calls of one kind: whose front is pressed how often, and what has to come of it."""

    name: str
    service: str
    wish: str
    every: float
    expected: dict[str, set[str]]
    caller: str = "orders"
    place: str = "till"


ALWAYS = {SHADOW: {GOOD}, ENFORCE: {GOOD}, SERIAL: {GOOD}, BLOCKED: {GOOD}}
CHARGED = {**ALWAYS, SERIAL: {GOOD, "caller_blocked"}}
BUY = Errand(
    "gateway -> orders -> payment",
    "gateway",
    "buy",
    0.02,
    # What orders had taken already when it was blocked is refused at payment.
    {**CHARGED, BLOCKED: {"callee_blocked", "caller_blocked", CUT_OFF}},
)
CHARGE = Errand(
    "orders -> payment",
    "orders",
    "charge",
    0.05,
    {**CHARGED, BLOCKED: {"caller_blocked", CUT_OFF}},
)
SETTLE = Errand("batch -> payment", "batch", "settle", 0.05, ALWAYS, caller="batch", place="office")
SHORTCUT = Errand(
    "gateway -> payment",
    "gateway",
    "shortcut",
    0.2,
    {SHADOW: {GOOD}, **{each: {"no_rule"} for each in (ENFORCE, SERIAL, BLOCKED)}},
    caller="gateway",
)
ERRANDS = (BUY, CHARGE, SETTLE, SHORTCUT)


@dataclass
class Tally:
    """What came of the calls of one errand; `faults` are the first of those that failed."""

    outcomes: Counter = field(default_factory=Counter)
    failed: int = 0
    faults: list[str] = field(default_factory=list)
    took: deque = field(default_factory=lambda: deque(maxlen=300))
    last_good: float = 0.0

    def count(self, outcome: str, said: str, expected: set[str]) -> None:
        """Count one call."""
        if outcome in expected:
            self.outcomes[outcome] += 1
            return
        self.failed += 1
        if len(self.faults) < 3:
            self.faults.append(f"{outcome}: {said}")

    @property
    def calls(self) -> int:
        """All calls."""
        return self.outcomes.total() + self.failed

    @property
    def refused(self) -> Counter:
        """The refused ones by reason."""
        return Counter({why: count for why, count in list(self.outcomes.items()) if why != GOOD})

    @property
    def median(self) -> float:
        """Milliseconds that a call took lately."""
        return 1000 * statistics.median(list(self.took) or [0.0])


class Traffic:
    """Makes calls from when it is begun until it is ended."""

    def __init__(self, ground: Ground) -> None:
        self.tallies = {errand.name: Tally() for errand in ERRANDS}
        self.shadowed = 0
        self.intrusions: Counter = Counter()
        self.let_in: list[str] = []
        self.accepted = frozenset({SHADOW})
        self._fronts = {name: place.front for name, place in ground.places.items()}
        self._numbers = itertools.count(1)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        # A purchase takes longest, and customers do not wait for each other.
        errands = [BUY, *ERRANDS]
        self._threads = [threading.Thread(target=self._keep, args=(each,)) for each in errands]

    def begin(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """End, after the calls that are under way."""
        self._ended.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(30)

    @property
    def failed(self) -> int:
        """How many calls came to what they should not."""
        return sum(each.failed for each in self.tallies.values())

    def call(self, errand: Errand) -> tuple[str, str]:
        """Make one call; say what came of it, and everything that was said."""
        path = f"/{errand.wish}/{next(self._numbers)}"
        said = post(self._fronts[errand.service], errand.service, path)
        wanted = {"at": errand.place, "caller": spiffe_id(errand.caller)}
        if said["status"] == 200 and all(said.get(key) == value for key, value in wanted.items()):
            return GOOD, ""
        if said.get("text", "").startswith("upstream connect error"):
            return CUT_OFF, json.dumps(said)
        return said.get("reason", "failed"), json.dumps(said)

    def follow(self, intruder: subprocess.Popen) -> None:
        """Count what the intruder says."""
        threading.Thread(target=self._follow, args=(intruder,), daemon=True).start()

    def _keep(self, errand: Errand) -> None:
        tally = self.tallies[errand.name]
        while not self._ended.wait(errand.every):
            before, begun = self.accepted, time.time()
            outcome, said = self.call(errand)
            took = time.time() - begun
            # The rules may have changed between the question and the answer.
            phases = before | self.accepted
            with self._lock:
                tally.count(outcome, said, set().union(*(errand.expected[each] for each in phases)))
                if outcome == GOOD:
                    tally.took.append(took)
                    tally.last_good = max(tally.last_good, begun)
                    self.shadowed += errand is SHORTCUT

    def _follow(self, intruder: subprocess.Popen) -> None:
        for line in intruder.stdout:
            said = json.loads(line)
            if said["outcome"] == "refused":
                self.intrusions[said["rule"]] += 1
            elif not self._ended.is_set():
                self.let_in.append(f"{said['rule']}: {said['outcome']}")
