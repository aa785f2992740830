"""What the tests share: real engines, started once for the run and stopped by their own process at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fraudstream import broker as embedded
from fraudstream.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with an output folder of their own and nothing taken from the environment."""
    for name in Settings.environment_names().values():
        monkeypatch.delenv(name, raising=False)
    return load_settings(output_dir=tmp_path / "output")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real broker with a folder of its own and no topics yet."""
    own = load_settings(output_dir=tmp_path_factory.mktemp("kafka"), bootstrap_servers="")
    try:
        yield embedded.start(own)
    finally:
        embedded.stop(own)
