"""The external PKI of the nodes."""

from pathlib import Path

import pytest

from tests.unit.attestors.x509pop_halves import CA


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    return str(tmp_path / "ca.pem")
