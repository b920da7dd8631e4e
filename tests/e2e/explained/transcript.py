"""What was typed and what came back, made equal from run to run."""

import base64
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.doubles.programs import ROOT

UUID = r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
TIME = r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?"
# What differs from run to run, and how it is written instead: by counting, or always the same.
COUNTED = (
    ("sha256", r"(?<=sha256:)[0-9a-f]{64}\b", 64),
    ("container", r"\b[0-9a-f]{64}\b", 64),
    ("node", r"\b[0-9a-f]{40}\b", 40),
    ("token", r"\b[0-9a-f]{32}\b", 32),
)
REFUSAL = r"(?<=refusal )[a-z2-7]{8}\b"
SHORT_HEX = r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b"
PID = (
    r"(?<=\bpid )\d+\b|(?<=\bprocess )\d+\b|(?<=--pid )\d+\b|(?<=--for-pid )\d+\b|(?<=/proc/)\d+\b"
)
HEX_SERIAL = r"(?<=serialnumber:)[0-9a-f]+"
SERIAL = r"(?<=serial )\d+"
FIRST_PID = 4101
PYTHON = "/usr/bin/python3.11"
SPAN = r"\b(?:\d+(?:\.\d+)? (?:ms|s|min|h|d) ?)+"
AGES = rf"{SPAN}(?=ago\b)"
LASTED = rf"(?<=for ){SPAN}(?=,)"
PORT = r"(?<=127\.0\.0\.1:)\d+"


@dataclass
class Line:
    """One command and what it printed; `who` is the prompt."""

    who: str
    command: str
    output: str
    status: int


@dataclass
class Transcript:
    """The commands of one situation, in their order."""

    lines: list[Line] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    """What a path of this run is called on the page."""
    pids: list[int] = field(default_factory=list)
    """Processes that took part, whose numbers stand also where nothing says that they are pids."""

    def add(self, who: str, command: str, output: str, status: int) -> None:
        self.lines.append(Line(who, command, output, status))

    def __str__(self) -> str:
        """The page's block: the same for each run that says the same."""
        normal = Normal(self.words, self.pids)
        return normal.text("\n".join(self._blocks())).rstrip() + "\n"

    def _blocks(self) -> Iterator[str]:
        for line in self.lines:
            yield f"{line.who} {line.command}"
            if line.output.strip():
                yield line.output.rstrip()


class Normal:
    """Puts names in the place of what was made at random."""

    def __init__(self, words: dict[str, str], pids: Sequence[int] = ()) -> None:
        self._pids = pids
        pythons = dict.fromkeys((sys.executable, os.path.realpath(sys.executable)), PYTHON)
        words = {**words, **pythons, str(ROOT): "/srv/finial"}
        # The longest first: one path may be the beginning of another.
        self._words = sorted(words.items(), key=lambda pair: -len(pair[0]))
        self._seen: dict[tuple[str, str], str] = {}

    def text(self, text: str) -> str:
        for word, name in self._words:
            text = _put(text, re.escape(word), name)
        text = re.sub(UUID, lambda found: self._uuid(found[0]), text)
        for kind, pattern, length in COUNTED:
            for found in dict.fromkeys(re.findall(pattern, text)):
                text = text.replace(found, self._hex(kind, found, length))
        text = re.sub(SHORT_HEX, lambda found: self._short(found[0]), text)
        for refusal in dict.fromkeys(re.findall(REFUSAL, text)):
            text = text.replace(refusal, self._letters(refusal))
        for pid in dict.fromkeys([*map(str, self._pids), *re.findall(PID, text)]):
            text = _put(text, rf"\b{pid}\b", self._pid(pid))
        text = re.sub(SERIAL, str(2**126), text)
        text = re.sub(HEX_SERIAL, "5f" * 16, text)
        text = re.sub(PORT, "8081", text)
        text = re.sub(AGES, "a moment ", text)
        text = re.sub(LASTED, "a moment", text)
        return re.sub(TIME, "2026-11-22T12:00:00Z", text)

    def _hex(self, kind: str, found: str, length: int) -> str:
        def make(number: int) -> str:
            return hashlib.sha256(f"{kind} {number}".encode()).hexdigest()[:length]

        return self._named(kind, found, make)

    def _short(self, found: str) -> str:
        """The beginning of what was seen in full has the beginning of its name."""
        for (_, whole), name in self._seen.items():
            if whole.startswith(found):
                return name[:12]
        return self._hex("short", found, 12)

    def _letters(self, found: str) -> str:
        def make(number: int) -> str:
            return base64.b32encode(hashlib.sha256(b"%d" % number).digest())[:8].decode().lower()

        return self._named("refusal", found, make)

    def _uuid(self, found: str) -> str:
        def make(number: int) -> str:
            text = hashlib.sha256(f"uuid {number}".encode()).hexdigest()
            return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:32]}"

        return self._named("uuid", found, make)

    def _pid(self, found: str) -> str:
        return self._named("pid", found, lambda number: str(FIRST_PID + number))

    def _named(self, kind: str, found: str, make: Callable[[int], str]) -> str:
        key = (kind, found)
        if key not in self._seen:
            self._seen[key] = make(sum(each == kind for each, _ in self._seen))
        return self._seen[key]


def _put(text: str, pattern: str, name: str) -> str:
    """Put a name in the place of what matches, and let the columns of a table be as wide."""

    def put(found: re.Match[str]) -> str:
        width = len(found[0])
        return name.ljust(max(width, len(name) + 2)) if found["gap"] else name

    return re.sub(rf"(?:{pattern})(?P<gap>  +)?", put, text)


# What another machine has otherwise, in a list of what was found: names of groups, where the
# interpreter lies, how a connection ended.
OF_THE_MACHINE = (
    r" *unix:(?:cgroup|path|sha256|supplementary_group):.*\n",
    r" *\(.*\b(?:program|unix:path|unix:cgroup)\b.*\)\n",
    r"\[Errno \d+\] [A-Z].*",
    r"(?<=is not known here: ).*",
)


def wording(text: str) -> str:
    """What has to stay the same: not how wide a column is, nor what depends on the machine."""
    for pattern in OF_THE_MACHINE:
        text = re.sub(rf"(?m:^{pattern})" if pattern.startswith(" ") else pattern, "", text)
    return squeezed(text).strip()


def squeezed(text: str) -> str:
    """One blank in the place of several."""
    return re.sub(r"[ \t]+", " ", text)
