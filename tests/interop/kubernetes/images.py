"""The image of examples/image, built on bases that are made here: no registry is reached.

What takes long (the bases, the wheels) is kept in the folder of the build.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.doubles.programs import ROOT
from tests.interop.kubernetes.cluster import Cluster

IMAGE: Final = "finial:0.1.0"
PAUSE: Final = "pause:local"
STRANGER: Final = "stranger:1"
SUITE: Final = "bookworm"
BASES: Final = {
    # Like debian:12-slim with python3-venv in it.
    "finial-build:local": ("minbase", "python3,python3-venv"),
    # Like distroless/python3: files of packages, none of their scripts, no shell.
    "finial-runtime:local": (
        "extract",
        "python3-minimal,libpython3.11-stdlib,libstdc++6,tzdata,netbase",
    ),
}
PAUSE_SOURCE: Final = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"


def make_images(cluster: Cluster) -> None:
    """Make every image that the tests use, in the cluster's engine."""
    cache = cluster.build / "images"
    cache.mkdir(exist_ok=True)
    _pause(cluster, cache)
    for name, (variant, packages) in BASES.items():
        of_these = hashlib.sha256(packages.encode()).hexdigest()[:16]
        archive = cache / f"{name.partition(':')[0]}-{of_these}.tar"
        if not archive.exists():
            _base(archive, variant, packages)
        cluster.docker("import", str(archive), name)
    context = _context(cluster, _wheels(cache))
    cluster.docker(
        "build", "--network=none", f"--tag={IMAGE}",
        f"--file={context}/examples/image/Dockerfile",
        *[f"--build-arg={name}={value}" for name, value in (
            ("BUILD_IMAGE", "finial-build:local"), ("RUNTIME_IMAGE", "finial-runtime:local"),
            ("PIP_OPTIONS", "--no-index --find-links=/src/wheels"),
        )],
        str(context), timeout=900,
    )  # fmt: skip
    another = f"FROM {IMAGE}\nLABEL maker=somebody\n"
    cluster.docker("build", f"--tag={STRANGER}", "-", input=another)


def _pause(cluster: Cluster, cache: Path) -> None:
    """The image whose one program holds a pod's namespaces."""
    folder = cache / "pause"
    folder.mkdir(exist_ok=True)
    _run("gcc", "-static", "-Os", "-xc", "-", f"-o{folder}/pause", text=PAUSE_SOURCE)
    _run("tar", "-C", folder, "-cf", cache / "pause.tar", ".")
    cluster.docker("import", '--change=ENTRYPOINT ["/pause"]', str(cache / "pause.tar"), PAUSE)


def _base(archive: Path, variant: str, packages: str) -> None:
    made = archive.with_suffix(".new.tar")
    _run("mmdebstrap", f"--variant={variant}", f"--include={packages}", SUITE, made)
    made.rename(archive)


def _wheels(cache: Path) -> Path:
    """The wheels of everything that finial needs, and of what builds it."""
    wanted = (ROOT / "pyproject.toml").read_bytes() + (ROOT / "constraints.txt").read_bytes()
    folder = cache / f"wheels-{hashlib.sha256(wanted).hexdigest()[:16]}"
    if not folder.exists():
        made = cache / "wheels-new"
        shutil.rmtree(made, ignore_errors=True)
        _run(
            sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check",
            f"--wheel-dir={made}", f"--constraint={ROOT}/constraints.txt", ROOT, "hatchling>=1.27",
        )  # fmt: skip
        # That is what the image builds for itself.
        for each in made.glob("finial-*.whl"):
            each.unlink()
        made.rename(folder)
    return folder


def _context(cluster: Cluster, wheels: Path) -> Path:
    """What the README says to build of, the last commit, and the wheels."""
    context = cluster.folder / "context"
    context.mkdir()
    archive = cluster.folder / "context.tar"
    _run("git", "-C", ROOT, "archive", f"--output={archive}", "HEAD")
    _run("tar", "-C", context, "-xf", archive)
    shutil.copytree(wheels, context / "wheels")
    return context


def _run(*command: str | Path, text: str | None = None) -> None:
    done = subprocess.run(
        [*map(str, command)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
