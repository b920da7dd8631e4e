"""Each topic's document across a restart: what the server said last, one file a topic."""

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from finial.runtime.files import UnsafePath, read_private, write_private

_TOPIC: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}", re.ASCII)
log = logging.getLogger("finial.agent.storage")


@dataclass(frozen=True, slots=True)
class Document:
    """A topic's document and the version that the server gave it."""

    version: int
    content: str


class TopicFiles:
    """The last document of each topic; what is damaged counts as never received."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load(self, topic: str) -> Document | None:
        """Return a topic's document, or nothing where there is none that can be trusted."""
        path = self._path(topic)
        try:
            found = read_private(path)
            if found is None:
                return None
            document = json.loads(found)
            return Document(int(document["version"]), str(document["content"]))
        except (OSError, UnsafePath, ValueError, KeyError, TypeError) as error:
            # The server will say it again; nothing is served from a file in doubt.
            log.warning("%s is passed over: %s", path, error)
            return None

    def has(self, topic: str) -> bool:
        """Whether something is kept, also if it cannot be trusted."""
        return self._path(topic).exists()

    def store(self, topic: str, document: Document) -> None:
        """Keep this in place of the former; it is on the disk when this returns.

        Raises: OSError; ValueError for a topic whose name is none.
        """
        content = {"version": document.version, "content": document.content}
        write_private(self._path(topic), json.dumps(content).encode())

    def _path(self, topic: str) -> Path:
        if not _TOPIC.fullmatch(topic):
            raise ValueError(f"a topic's name is a short word, not {topic[:60]!r}")
        return self._directory / f"topic-{topic}.json"
