"""State the recording, its quality, the person's state, and which rhythms stood out."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from copilot.eeg.emotion_classifier import MIN_SECONDS, EmotionClassifier, compare_with_baseline, summarise_seconds
from copilot.eeg.features import BANDS_HZ, ELECTRODES, Array, Normal, band_means, electrode_channels, standardise
from copilot.eeg.preprocessing.quality import ARTEFACTS, TRUST_MEANS, ChannelQuality, Quality
from copilot.eeg.states import REGIONS, StateModels
from copilot.eeg.types import Recording
from copilot.facts.types import Fact, join_sentences
from copilot.i18n import N_, Message, messages
from copilot.result import Result
from copilot.text import percent

HIGHER_Z, MUCH_HIGHER_Z = 1.0, 2.0
"""Standard deviations from which a band is called higher (or lower), and from which much higher (or much lower)."""

LEVELS = (N_("much lower"), N_("lower"), N_("about as usual"), N_("higher"), N_("much higher"))
WHERE = {
    "frontal": N_("at the front of the head"),
    "central": N_("at the top of the head"),
    "temporal": N_("at the temples"),
    "parietal": N_("at the upper back of the head"),
    "occipital": N_("at the back of the head"),
}
#: What each rhythm goes with; its limits in Hz are ``BANDS_HZ``.
BANDS_MEAN = {
    "delta": N_(
        "Delta is the slowest rhythm (1 to 4 waves a second). It is strong in deep sleep; awake, eye movements and "
        "sweat easily look like it."
    ),
    "theta": N_(
        "Theta is a slow rhythm (4 to 8 waves a second). It grows with drowsiness, and at the front of the head often "
        "with mental effort."
    ),
    "alpha": N_(
        "Alpha is a rhythm of about ten waves a second (8 to 14). It is usually strongest at the back of the head when "
        "an awake person closes the eyes, and weaker with open eyes and in drowsiness; some people hardly have it."
    ),
    "beta": N_(
        "Beta is a fast rhythm (14 to 30 waves a second) of people who are awake. It is weak and easily mixed up with "
        "tense muscles; some medicines make it stronger."
    ),
    "gamma": N_(
        "Gamma is the fastest rhythm here (30 to 47 waves a second). On the skin of the head most of it comes from "
        "muscles, so it has to be read with care."
    ),
}
#: Other faults that a channel can have; ``terms`` has their short names.
FAULTS = {
    "flat": N_("it gave no signal"),
    "railed": N_("it was clipped"),
    "noisy": N_("it was noisy"),
    "joined": N_("it had the same signal as another electrode"),
}
STATES = {"sleep": N_("Sleep"), "eyes": N_("Eyes"), "effort": N_("Mental effort")}
FOUND = {
    ("sleep", "asleep"): N_("asleep"),
    ("sleep", "awake"): N_("awake"),
    ("eyes", "closed"): N_("eyes closed"),
    ("eyes", "open"): N_("eyes open"),
    ("effort", "effort"): N_("mental effort, if the other recordings are of rest"),
    ("effort", "rest"): N_("no more mental effort than in the other recordings"),
}
NEEDED = {
    "sleep": N_("this needs 30 s of signal from the electrodes Fpz (or Fp1 and Fp2), Cz, Pz and Oz (or O1 and O2)"),
    "eyes": N_("this needs an electrode over the back of the head and ten usable seconds"),
    "effort": N_("this needs another recording of the same person, at rest, with electrodes over the whole head"),
}
TOO_POOR = N_("the recording is too poor")


def list_state_facts(result: Result) -> Iterator[Fact]:
    """Yield the facts about sleep, eyes and mental effort."""
    states, models = {state.source: state for state in result.states}, StateModels.load()
    for name, label in STATES.items():
        state = states.get(name)
        why = TOO_POOR if result.trust == "poor" else NEEDED[name]
        said = state.sentence if state else N_("{state}: not determined, because {reason}.", state=label, reason=why)
        yield Fact(f"state.{name}", state.finding if state else None, "", said)
        measured = models.make_evidence(name, "unclear").reliability
        said = N_("{state}, how often this is right: {measured}", state=label, measured=measured)
        yield Fact(f"state.{name}.reliability", None, "", said)
    told = {name: FOUND[name, state.finding] for name, state in states.items() if state.finding != "unclear"}
    untold = tuple(label for name, label in STATES.items() if name not in told)
    if told and untold:
        said = N_("The EEG shows: {told}. Not determined: {untold}.", told=tuple(told.values()), untold=untold)
    elif told:
        said = N_("The EEG shows: {told}.", told=tuple(told.values()))
    elif result.trust == "poor":
        said = N_("The person's state was not determined, because {reason}.", reason=TOO_POOR)
    else:
        said = N_(
            "The person's state was not determined: nothing in this signal decides about eyes, sleep or mental effort."
        )
    yield Fact("states", tuple(f"{name}: {states[name].finding}" for name in told), "", said)


def list_recording_facts(recording: Recording, quality: Quality) -> Iterator[Fact]:
    """Yield the facts about the cleaned recording, its quality and its electrodes."""
    # 1. Quality and bad electrodes
    yield Fact("quality", quality.trust, "", N_(TRUST_MEANS[quality.trust]))
    said = N_(
        "{clean} of {total} s are usable ({percent}).",
        clean=quality.clean_seconds,
        total=quality.clean.size,
        percent=percent(quality.clean_share),
    )
    if quality.clean_seconds == quality.clean.size:
        said = N_("All {total} s are usable.", total=quality.clean.size)
    if quality.trust == "poor":
        said = N_(
            "Of {total} s {clean} were not cut out, but the recording is too poor to tell anything from them.",
            total=quality.clean.size,
            clean=quality.clean_seconds,
        )
    yield Fact("usable_seconds", quality.clean_seconds, "s", said)
    bad = {channel.name: faults for channel in quality.channels if (faults := list_faults(channel))}
    total = len(quality.channels)
    said = N_("All {total} electrodes gave a usable signal.", total=total)
    if bad:
        said = N_("{count} of {total} electrodes were bad: {names}.", count=len(bad), total=total, names=tuple(bad))
    yield Fact("bad_channels", tuple(bad), "", said)
    for name, faults in bad.items():
        template = N_("{name} was a bad electrode: {faults}. It was left out.")
        if "interpolated" in faults:
            template = N_("{name} was a bad electrode: {faults}. It was estimated from its neighbours (interpolated).")
        elif name in recording.channels:
            template = N_("{name} was a bad electrode: {faults}. It was used nevertheless.")
        said = N_(template, name=name, faults=tuple(FAULTS[fault] for fault in faults if fault in FAULTS))
        yield Fact(f"bad.{name}", faults, "", said)

    # 2. What cleaning took out
    said = N_("No mains hum was found.")
    if quality.line_hz:
        template = N_("Mains hum at {hertz:g} Hz, about {times:.0f} times its neighbourhood, was found and removed.")
        said = N_(template, hertz=quality.line_hz, times=quality.line_ratio)
    yield Fact("mains", quality.line_hz, "Hz", said)
    removed = quality.components_removed
    counts = tuple(N_("{count} of {kind}", count=n, kind=ARTEFACTS[kind]) for kind, n in removed.items() if n)
    said = N_("Cleaning looked for eye movement and muscle tension and found none to take out.")
    if counts:
        said = N_("Cleaning took out these components: {counts}.", counts=counts)
    elif not removed:
        said = N_("Eye movement and muscle tension were not taken out: there are too few electrodes for that.")
    if removed and "ocular" not in removed:
        said = join_sentences((said, N_("No electrode is near the eyes, so blinks could not be looked for.")))
    yield Fact("removed", sum(removed.values()), "", said)

    # 3. Length, rate and electrodes
    said = N_("The recording is {seconds:.0f} s long.", seconds=recording.seconds)
    yield Fact("length", recording.seconds, "s", said)
    said = N_("The cleaned recording has a sampling rate of {rate:g} Hz.", rate=recording.sfreq)
    if recording.rate_read is not None:
        template = N_("The sampling rate was {read:g} Hz ({source}); after cleaning it is {rate:g} Hz.")
        said = N_(template, read=recording.rate_read, source=recording.rate_from, rate=recording.sfreq)
    yield Fact("rate", recording.rate_read or recording.sfreq, "Hz", said)
    known = electrode_channels(recording.channels)
    said = N_(
        "The cleaned recording has {count} electrodes: {names}. The models read {known} of them.",
        count=len(recording.channels),
        names=recording.channels,
        known=len(set(known.values())),
    )
    yield Fact("channels", recording.channels, "", said)
    absent = tuple(name for name in ELECTRODES if name not in known)
    said = N_("All 30 electrodes that the models know are in this recording.")
    if absent:
        template = N_("{count} of the 30 electrodes that the models know are not in this recording: {names}.")
        said = N_(template, count=len(absent), names=absent)
    yield Fact("channels.absent", absent, "", said)
    interpolated = tuple(channel.name for channel in quality.channels if channel.interpolated)
    in_place = {name: channel for name, channel in known.items() if name != channel}
    parts = []
    if interpolated:
        parts.append(N_("Estimated from their neighbours: {names}.", names=interpolated))
    if in_place:
        pairs = tuple(N_("{channel} for {name}", channel=channel, name=name) for name, channel in in_place.items())
        parts.append(N_("Read in place of an absent electrode: {pairs}.", pairs=pairs))
    said = join_sentences(parts or [N_("No electrode was estimated or read in place of another.")])
    yield Fact("channels.estimated", (*interpolated, *in_place), "", said)


def list_faults(channel: ChannelQuality) -> tuple[str, ...]:
    """Return what is wrong with a channel, and whether it was interpolated: values of ``terms`` for a channel."""
    return tuple(name for name in (*FAULTS, "interpolated") if getattr(channel, name))


def list_rhythms(
    recording: Recording,
    quality: Quality,
    entropies: Sequence[Array],
    population: Normal,
    emotion_classifier: EmotionClassifier,
) -> Iterator[Fact]:
    """Yield ``band.<region>.<band>`` for all regions and bands, then ``rhythm``; arguments as in ``collect_facts``.

    The values are ``compare_with_baseline`` where there are other recordings of the person, otherwise the distance from
    the population's mean in standard deviations over its seconds; the mean over the region's electrodes that were
    recorded and not interpolated.
    """
    entropy, *others = entropies
    own, baseline = summarise_seconds(entropy), [found for found in map(summarise_seconds, others) if found]
    z = np.full((len(ELECTRODES), len(BANDS_HZ)), np.nan)
    against, reason = N_("other people, who watched films"), N_("there is no usable electrode")
    if len(others) == 1:
        against = N_("the other recording of this person")
    elif others:
        against = N_("the other recordings of this person")
    if quality.trust == "poor":
        reason = TOO_POOR
    elif not others:
        z = standardise(band_means(entropy)[:, None], population)[:, 0].astype(np.float64)
    elif own and baseline:
        means, variances = (np.stack(part) for part in zip(*baseline, strict=True))
        z = compare_with_baseline(own[0], means, variances, emotion_classifier.between)
    else:
        reason = N_("there are fewer than {least} usable seconds", least=MIN_SECONDS)
    known = electrode_channels(recording.channels)
    interpolated = {channel.name for channel in quality.channels if channel.interpolated}

    most, most_said = 0.0, dict[str, Any]()
    for region, electrodes in REGIONS.items():
        rows = [ELECTRODES.index(name) for name in electrodes if known.get(name) not in interpolated]
        for place, (band, (low, high)) in enumerate(BANDS_HZ.items()):
            shown = {"band": messages.BANDS[band], "low": low, "high": high, "where": WHERE[region]}
            values = z[rows, place]
            if not np.isfinite(values).any():
                said = N_(
                    "{band} ({low:g}-{high:g} Hz) {where} was not compared, because {reason}.", **shown, reason=reason
                )
                yield Fact(f"band.{region}.{band}", None, "z", said)
                continue
            mean = round(float(np.nanmean(values)), 1) + 0.0  # + 0.0: no "-0.0"
            shown |= {"level": name_level(mean), "against": against, "z": mean}
            said = N_(
                "{band} ({low:g}-{high:g} Hz) {where} was {level}, compared with {against} ({z:+.1f} standard "
                "deviations).",
                **shown,
            )
            yield Fact(f"band.{region}.{band}", mean, "z", said)
            if not most_said or abs(mean) > abs(most):
                most, most_said = mean, {**shown, "key": f"{region}.{band}"}
    if not most_said:
        yield Fact("rhythm", None, "", N_("No rhythm was compared, because {reason}.", reason=reason))
    elif abs(most) < HIGHER_Z:
        yield Fact("rhythm", "none", "", N_("No rhythm stood out, compared with {against}.", against=against))
    else:
        said = N_(
            "What stood out most: {band} ({low:g}-{high:g} Hz) {where} was {level}, compared with {against} ({z:+.1f} "
            "standard deviations).",
            **most_said,
        )
        yield Fact("rhythm", most_said["key"], "", said)


def name_level(z: float) -> Message:
    """Return the words for a distance from the usual, in standard deviations."""
    steps = (abs(z) >= HIGHER_Z) + (abs(z) >= MUCH_HIGHER_Z)
    return LEVELS[2 + steps if z > 0 else 2 - steps]
