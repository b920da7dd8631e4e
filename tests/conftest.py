"""What a test needs from the machine: skipped aloud on a person's, a failure in CI."""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# Property tests try the same inputs each time, and a busy machine is no failure.
settings.register_profile("finial", deadline=None, derandomize=True, database=None)
settings.load_profile("finial")


class Requirements:
    """Names what is missing and the command that adds it; never installs anything."""

    def command(self, name: str, remedy: str) -> str:
        """Return the path of a command that has to be installed."""
        found = shutil.which(name)
        if found is None:
            self.missing(f"the command {name} is missing", remedy)
        return str(found)

    def module(self, name: str, remedy: str = "make test") -> None:
        """Ask for a Python module."""
        if importlib.util.find_spec(name) is None:
            self.missing(f"the Python module {name} is missing", remedy)

    def path(self, path: str | Path, remedy: str) -> Path:
        """Ask for a file or folder."""
        if not Path(path).exists():
            self.missing(f"{path} is missing", remedy)
        return Path(path)

    def root(self) -> None:
        """Ask to be run by root."""
        if os.geteuid() != 0:
            self.missing("needs root", "sudo make test")

    def missing(self, what: str, remedy: str) -> None:
        """Skip the test, or fail it where nothing may be skipped."""
        sentence = f"{what}; add it with: {remedy}"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)


@pytest.fixture
def require() -> Requirements:
    """Return the way for a test to ask for what it needs."""
    return Requirements()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked `root` for everybody else, aloud."""
    if item.get_closest_marker("root") is not None:
        Requirements().root()
