"""Fixtures that several tests of control use."""

import pytest

from gtmdns.sources import file


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(file, "SETTLE", 0.02)
