"""At which size a signal is believed to be in the unit that its file states."""

import numpy as np
import pytest

from copilot.eeg.simulate import simulate
from copilot.eeg.types import RecordingError
from copilot.eeg.units import _measure_size_and_noise, to_microvolts


def scaled_to(size_uv):
    """A simulated recording of this robust size, microvolts."""
    made = simulate(seconds=30, line_uv=0, seed=5).data.astype(np.float64)
    return (made * size_uv / _measure_size_and_noise(made, 250)[0]).astype(np.float32)


@pytest.mark.parametrize("size_uv", [0.11, 20, 590])
def test_a_stated_unit_is_believed_where_the_size_can_be_a_scalps(size_uv):
    data = scaled_to(size_uv)
    found, notes = to_microvolts(data.copy(), 250, True)
    np.testing.assert_allclose(found, data)
    assert notes == ()


@pytest.mark.parametrize("size_uv", [0.09, 610])
def test_beyond_it_another_unit_is_taken_or_the_file_is_refused(size_uv):
    data = scaled_to(size_uv)
    try:
        found, notes = to_microvolts(data.copy(), 250, True)
    except RecordingError:
        return
    assert notes
    assert not np.allclose(found, data)
