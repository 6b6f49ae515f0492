"""Render signal and result as HTML: quality, bars, prose. All text from outside is escaped here."""

import base64
from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from copilot import emotions
from copilot.eeg.preprocessing.clean import Quality
from copilot.i18n import N_, Translator, messages
from copilot.i18n.terms import term
from copilot.result import Result
from copilot.web.panels import sentences

TRUST = {"good": N_("Good recording"), "fair": N_("Fair recording"), "poor": N_("Poor recording")}
CLEAN_SECONDS = N_("{clean} of {total} seconds are clean")
SECONDS_ALT = N_("Which seconds are clean, from the start to the end of the recording: {clean} of {total}.")
HEADLINE = {
    "clear": N_("Most likely {emotion}"),
    "leaning": N_("Leaning towards {emotion}, but uncertain"),
    "unclear": N_("Uncertain: no emotion stands out"),
}
UNCERTAIN = N_("It does not stand out enough to be certain: read it as a hint at most.")
PROBABILITIES = N_("Probability of each of nine emotions")
VALENCE = N_("Valence")
READOUT = {
    "both": N_("Read by the language model, with the decoder's evidence in its prompt"),
    "model": N_("Read by the language model alone"),
    "decoder": N_("Read by the decoder alone"),
}
CODEC = N_("EEG text")
SUGGESTIONS = N_("Suggestions")


#: Brows and mouth of each emotion's face, as SVG paths in a square of 24 by 24.
FACES = {
    "anger": ("M6 7l4 2M18 7l-4 2", "M8 17q4-3 8 0"),
    "disgust": ("M6 8h4M14 7l4 1", "M8 16q2-2 4 0t4 0"),
    "fear": ("M6 8l4-2M18 8l-4-2", "M9 16.5a3 2.2 0 1 0 6 0a3 2.2 0 1 0-6 0"),
    "sadness": ("M6 9l4-2M18 9l-4-2", "M8 17q4-4 8 0"),
    "neutral": ("M6 8h4M14 8h4", "M8 16h8"),
    "amusement": ("M6 8q2-2 4 0M14 8q2-2 4 0", "M7 14h10q-1 5-5 5t-5-5z"),
    "inspiration": ("M6 7q2-2 4 0M14 7q2-2 4 0", "M9 15.5q3 2.5 6 0"),
    "joy": ("M6 8q2-1 4 0M14 8q2-1 4 0", "M7 14q5 6 10 0"),
    "tenderness": ("M6 8q2-1 4 0M14 8q2-1 4 0", "M8 15q4 3 8 0"),
}


def picture(png: bytes, alt: str) -> str:
    """Return a PNG as part of the page itself, so that no file of a signal has a path that others could guess."""
    data = base64.b64encode(png).decode()
    return f'<img class="figure" alt="{escape(alt)}" src="data:image/png;base64,{data}">'


def quality(translate: Translator, report: Quality) -> str:
    """Return the quality of the recording, and which of its seconds are clean."""
    counts = {"clean": report.clean_seconds, "total": report.clean.size}
    return (
        f'<div class="trust"><span class="pill {escape(report.trust)}">{escape(translate(TRUST[report.trust]))}</span>'
        f"<span>{escape(translate(CLEAN_SECONDS, **counts))}</span></div>"
        f"{_draw_seconds(report.clean, translate(SECONDS_ALT, **counts))}"
    )


def _draw_seconds(clean: npt.NDArray[np.bool_], alt: str) -> str:
    """Return a strip with one mark for each run of clean seconds; ``clean`` has shape (seconds,)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], clean.astype(np.int8), [0]))))
    runs = "".join(f'<rect x="{a}" width="{b - a}" height="1"/>' for a, b in edges.reshape(-1, 2))
    return (
        f'<svg class="seconds" viewBox="0 0 {max(1, clean.size)} 1" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(alt)}">{runs}</svg>'
    )


def emotion_result(translate: Translator, result: Result) -> str:
    """Return the emotion with its uncertainty: headline, nine bars, three classes, valence, source."""
    first = max(result.probabilities)
    poor = result.trust == "poor"
    headline = (
        translate(N_("The recording is too poor to name an emotion"))
        if poor
        else translate(HEADLINE[result.confidence], emotion=term("emotion", result.emotion))
    )
    times = translate(
        N_("{percent}, which is {times:.1f} times chance."),
        percent=format_percent(first),
        times=first * len(emotions.EMOTIONS),
    )
    beside = times if result.certain else f"{times} {translate(UNCERTAIN)}"
    if poor:
        beside = translate(N_("What the bars show rests on a poor signal: do not rely on it."))
    measured = translate(messages.CALIBRATED if result.calibrated else messages.NOT_CALIBRATED)
    model, codec = f"{translate(messages.MODEL)}: {result.model}", f"{translate(CODEC)}: {result.codec}"
    source = f"{translate(READOUT[result.readout])}. {model}. {codec}."
    classes, axis = _draw_three_classes(translate, result.probabilities), _draw_valence(translate, result.valence)
    return (
        f'<div class="headline">{"" if poor else _draw_face(result.emotion)}<div><strong>{escape(headline)}</strong>'
        f"<span>{escape(beside)}</span></div></div>{_draw_bars(translate, result.probabilities)}"
        f'<div class="readouts">{classes}{axis}</div>'
        f'<p class="quiet">{escape(measured)}</p><p class="quiet">{escape(source)}</p>'
        f"{sentences(map(translate, result.notes)) if result.notes else ''}"
    )


def format_percent(share: float) -> str:
    """Return a share of 1 in whole percent."""
    if 0 < share < 0.005:
        return "< 1 %"
    return f"{100 * share:.0f} %"


def _find_tone(emotion: str) -> str:
    return emotions.THREE_CLASSES[emotions.CLASS_OF[emotions.EMOTIONS.index(emotion)]]


def _draw_face(emotion: str) -> str:
    brows, mouth = FACES[emotion]
    return (
        f'<svg class="face {_find_tone(emotion)}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        'stroke-width="1.5" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><circle cx="12" cy="12" r="10.5"/>'
        f'<path d="{brows}"/><path d="{mouth}"/><g fill="currentColor" stroke="none"><circle cx="8.5" cy="11" r="1.2"/>'
        '<circle cx="15.5" cy="11" r="1.2"/></g></svg>'
    )


def _draw_bars(translate: Translator, probabilities: emotions.Probabilities) -> str:
    """Return nine bars, most probable first; the scale ends a little above the longest, at 40 % or more."""
    ranked = emotions.sort_by_probability(probabilities)
    end = max(0.4, 1.05 * ranked[0][1])
    items = "".join(
        f'<li class="{_find_tone(emotion)}{" first" if place == 0 else ""}">{_draw_face(emotion)}'
        f"<span>{escape(translate(term('emotion', emotion)))}</span>"
        f'<span class="track"><i class="tone" style="width:{100 * p / end:.1f}%"></i></span>'
        f'<span class="value">{escape(format_percent(p))}</span></li>'
        for place, (emotion, p) in enumerate(ranked)
    )
    chance = 100 / len(emotions.EMOTIONS) / end
    return (
        f'<ol class="bars" aria-label="{escape(translate(PROBABILITIES))}" style="--chance:{chance:.1f}%">{items}</ol>'
        f'<div class="chance">{escape(translate(messages.CHANCE))}</div>'
    )


def _draw_three_classes(translate: Translator, probabilities: emotions.Probabilities) -> str:
    shares = list(zip(emotions.THREE_CLASSES, emotions.sum_three_classes(probabilities), strict=True))
    parts = "".join(f'<i class="tone {name}" style="flex:{share:.4f}"></i>' for name, share in shares)
    legend = "".join(
        f'<span class="{name}">{escape(translate(term("class", name)))} {escape(format_percent(share))}</span>'
        for name, share in shares
    )
    return (
        f"<section><h3>{escape(translate(messages.THREE_CLASSES))}</h3>"
        f'<div class="split" aria-hidden="true">{parts}</div>'
        f'<div class="legend">{legend}</div></section>'
    )


def _draw_valence(translate: Translator, value: float) -> str:
    alt = translate(N_("Valence {value:+.2f} on a scale from -1, negative, to +1, positive."), value=value + 0.0)
    return (
        f'<section><h3>{escape(translate(VALENCE))}</h3><div class="axis" role="img" aria-label="{escape(alt)}">'
        f'<i style="left:{50 + 50 * value:.1f}%"></i></div><div class="ends" aria-hidden="true"><span>-1</span>'
        f"<b>{round(value, 2) + 0.0:+.2f}</b><span>+1</span></div></section>"
    )


def prose(translate: Translator, assessment: str, suggestions: Sequence[str], *, writing: bool = False) -> str:
    """Return assessment and suggestions as the model wrote them; with a cursor while it is writing."""
    paragraphs = "".join(f"<p>{escape(part)}</p>" for part in assessment.split("\n") if part.strip())
    more = f"<h3>{escape(translate(SUGGESTIONS))}</h3>{sentences(suggestions)}" if suggestions else ""
    return f'<div class="essay{" writing" if writing else ""}" lang="en">{paragraphs or "<p></p>"}{more}</div>'
