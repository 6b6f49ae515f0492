from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from copilot.eeg import sandbox, simulate
from copilot.web.session import Session
from tests.helpers.pages import with_upload


@pytest.fixture(scope="module", autouse=True)
def _no_worker_left() -> Iterator[None]:
    yield
    sandbox.cool_down()


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 simulated seconds, so that cleaning is quick."""
    made, path = simulate.simulate(20, seed=4), tmp_path_factory.mktemp("recording") / "mine.npz"
    np.savez(path, data=made.data, sfreq=made.sfreq, channels=np.array(made.channels), units=np.array("uV"))
    return path


@pytest.fixture
def brought(recording: Path) -> Session:
    return with_upload("mine.npz", recording.read_bytes())
