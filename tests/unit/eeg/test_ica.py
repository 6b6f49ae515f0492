"""Components that are muscle tension, by the slope of their spectrum."""

import numpy as np
import pytest

from copilot.eeg.preprocessing.ica import find_muscle_components

SFREQ = 250


@pytest.mark.parametrize(("slope", "muscle"), [(-0.33, []), (-0.29, [1])])
def test_a_component_is_muscle_if_its_power_hardly_falls_from_7_to_45_hz(slope, muscle):
    """The middle one of three components; the others fall as brain signals do, with the frequency and its square."""
    rng = np.random.default_rng(3)
    hz = np.fft.rfftfreq(240 * SFREQ, 1 / SFREQ)[1:]
    phases = np.exp(2j * np.pi * rng.random((3, len(hz))))
    power = np.stack([hz**-1.0, hz**slope, hz**-2.0])
    spectra = np.concatenate([np.zeros((3, 1)), phases * np.sqrt(power)], axis=1)
    assert find_muscle_components(np.fft.irfft(spectra), SFREQ) == muscle
