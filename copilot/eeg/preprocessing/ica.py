"""Remove eye and muscle artefacts from EEG by independent component analysis (see ``remove_artefacts``).

Extended infomax (Lee et al. 1999, Neural Comput 11:417) as MNE has it. Ocular components are those that follow the
electrodes beside the eyes; muscle components are those whose spectrum does not fall towards high frequencies.
"""

from typing import Any

import numpy as np

from copilot.eeg.preprocessing.bad_channels import Bools, Floats, take_seconds
from copilot.eeg.types import RecordingError
from copilot.i18n import messages

MAX_COMPONENTS = 25
"""ICA needs about 20 samples for each of its squared components; a minute does not contain more."""
TRAINING_SAMPLES = 12_000
OCULAR_Z = 3.0
OCULAR_R = 0.7
OCULAR_KURTOSIS = 0.3
"""An outlier among the components is an eye if it follows the electrodes beside the eyes this well (r, 1 to 10 Hz) and
comes in jerks: frontal background reaches the same correlation with F7 minus F8, but is near Gaussian (0.1 to 0.2)."""
ABOVE_EYES = ("Fp1", "Fp2", "Fpz", "AF7", "AF8", "AF3", "AF4")
MUSCLE_SLOPE = -0.31
"""Log-log spectral slope, 7 to 45 Hz, above which a component is muscle: paralysed people have none there (Dharmaprani
et al. 2016, EMBC)."""
SEED = 97


def remove_artefacts(raw: Any, usable: Bools) -> tuple[dict[str, int], int]:
    """Remove ocular and muscle components from an ``mne.io.Raw``, in place.

    Args:
        raw: average reference, 0.5 to 47 Hz; channels in ``raw.info["bads"]`` are left alone.
        usable: shape (seconds,); ICA is fitted to these seconds only.

    Returns:
        How many components were removed, by kind, and how many there were; a kind that could not be looked for is
        absent.

    Raises:
        RecordingError: the channels are copies of one another.
    """
    from mne.io import RawArray
    from mne.preprocessing import ICA

    # The usable seconds of the good channels above 1 Hz, where ICA separates best (Winkler et al. 2015, EMBC).
    good = raw.copy().pick("eeg", exclude="bads").filter(1.0, None)
    training = RawArray(take_seconds(good.get_data(), usable, raw.info["sfreq"]), good.info)

    # The independent signals: the average reference takes one, bridged electrodes another each.
    variances = np.linalg.eigvalsh(np.cov(training.get_data()))
    dimensions = int((variances > 1e-6 * variances[-1]).sum())
    if dimensions < 3 or variances[-1] < 1e-18:  # below 1e-6 of a squared microvolt: nothing but rounding
        raise RecordingError(messages.ALL_THE_SAME)
    ica = ICA(
        n_components=min(dimensions, MAX_COMPONENTS),
        method="infomax",
        # EEGLAB's stopping rule for caps of up to 32 channels, and the sign of a component's kurtosis looked at every
        # 20 blocks: with MNE's own values (1e-12, every block) the same components take three times as long.
        fit_params={"extended": True, "w_change": 1e-6, "ext_blocks": 20},
        max_iter=100,
        random_state=SEED,
    )
    ica.fit(training, decim=max(1, training.n_times // TRAINING_SAMPLES))

    sources = ica.get_sources(training).get_data()
    found = {}
    if above := [name for name in ABOVE_EYES if name in training.ch_names][:2]:
        found["ocular"] = _find_ocular_components(ica, training, sources, above)
    muscle = find_muscle_components(sources, training.info["sfreq"])
    found["muscle"] = [c for c in muscle if c not in found.get("ocular", ())]
    ica.apply(raw, exclude=sorted({c for components in found.values() for c in components}))
    return {kind: len(components) for kind, components in found.items()}, int(ica.n_components_)


def _find_ocular_components(ica: Any, training: Any, sources: Floats, above: list[str]) -> list[int]:
    """Find components that follow blinks (electrodes above the eyes) or glances (left against right temple)."""
    from mne import create_info
    from mne.io import RawArray
    from scipy.stats import kurtosis

    eyes = {"blinks": training.get_data(above).mean(axis=0)}
    if {"F7", "F8"} <= set(training.ch_names):
        eyes["glances"] = np.subtract(*training.get_data(["F7", "F8"]))
    info = create_info(list(eyes), training.info["sfreq"], "eog")
    watched = training.copy().add_channels([RawArray(np.stack(list(eyes.values())), info)], force_update_info=True)
    components, scores = ica.find_bads_eog(watched, threshold=OCULAR_Z)
    strength = np.abs(np.atleast_2d(scores)).max(axis=0)
    jerks = kurtosis(sources, axis=1)
    return [int(c) for c in components if strength[c] >= OCULAR_R and jerks[c] >= OCULAR_KURTOSIS]


def find_muscle_components(sources: Floats, sfreq: float) -> list[int]:
    """Find components whose power does not fall from 7 to 45 Hz.

    MNE's ``find_bads_muscle`` adds scores for focus and smoothness that are sums over channels, made for montages of
    about 64; with 19 they call nearly everything muscle. Its first criterion, the slope, is used alone.

    Args:
        sources: the components, shape (components, samples).
        sfreq: samples per second, Hz.
    """
    from scipy.signal import welch

    hz, power = welch(sources, sfreq, nperseg=round(2 * sfreq), axis=1)
    band = (hz >= 7) & (hz <= 45)
    slopes: Floats = np.polyfit(np.log10(hz[band]), np.log10(power[:, band]).T, 1)[0]
    return [int(c) for c in np.flatnonzero(slopes > MUSCLE_SLOPE)]
