"""The page's own pictures and panels as HTML: stages, signal, bars, prose. All text from outside is escaped here."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from copilot import NOTICE, emotions
from copilot.analysis import STAGES
from copilot.eeg.cleaning import Quality
from copilot.reading import Reading
from copilot.web import words

#: Brows and mouth of each emotion's face, as SVG paths in a box of 24 by 24.
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
_WAVE = "M2 12h3l2-6 3 12 3-9 2 5 2-2h5"


def notice() -> str:
    """The line that stays in view."""
    return f'<div class="notice-line" role="note">{escape(NOTICE)}</div>'


def masthead(model: str, where: str) -> str:
    """Name, what it does, and which model runs where."""
    return (
        '<header class="masthead"><svg viewBox="0 0 24 24" aria-hidden="true"><rect width="24" height="24" rx="6" '
        f'fill="var(--accent)"/><path d="{_WAVE}" fill="none" stroke="var(--card)" stroke-width="1.6" '
        f'stroke-linejoin="round" stroke-linecap="round"/></svg><div><h1>{escape(words.TITLE)}</h1>'
        f"<p>{escape(words.TAGLINE)}</p></div>"
        f'<div class="badge">{escape(words.MODEL)}: <b>{escape(model)}</b><br>{escape(where)}</div></header>'
    )


def heading(text: str, number: int | None = None) -> str:
    """A card's title, with its step's number where it has one."""
    step = f'<span class="step" aria-hidden="true">{number}</span>' if number else ""
    return f"<h2>{step}{escape(text)}</h2>"


def subheading(text: str) -> str:
    """A title inside a card."""
    return f"<h3>{escape(text)}</h3>"


def empty() -> str:
    """What stands where the reading will be."""
    steps = "".join(f"<li><b>{escape(title)}</b> {escape(what)}</li>" for title, what in words.EMPTY_STEPS)
    fast, sharp, slow = "q5-24 10 0t10 0" * 5, "l6-22 8 42 8-34 6 14", "q8-26 16 0t16 0" * 4
    wave = f"M0 30{fast}{sharp}{slow}"
    return (
        f'<div class="empty"><svg viewBox="0 0 252 60" aria-hidden="true"><path d="{wave}" fill="none" '
        f'stroke="currentColor" stroke-width="1.5"/></svg><h2>{escape(words.EMPTY)}</h2><ul>{steps}</ul></div>'
    )


def problem(sentence: str) -> str:
    """One plain sentence about what went wrong, announced to screen readers."""
    return f'<div class="problem" role="alert">{escape(sentence)}</div>'


def good_news(sentence: str) -> str:
    """A quiet confirmation."""
    return f'<div class="good-news" role="status">{escape(sentence)}</div>'


def quiet(sentence: str) -> str:
    """A sentence in the background."""
    return f'<div class="quiet">{escape(sentence)}</div>'


def urgent(text: str) -> str:
    """The fixed safety text, where it cannot be overlooked."""
    return f'<div class="urgent" role="alert">{escape(text)}</div>'


def stages(waiting: str, progress: Mapping[str, float | None], estimates: Mapping[str, float], detail: str = "") -> str:
    """The five stages.

    Args:
        waiting: what is being waited for, if anything.
        progress: share done of each stage that has begun, 0 to 1; None where only the estimate is known.
        estimates: seconds of each stage that has begun.
        detail: what is going on in the last stage that has begun.
    """
    items = (_stage(name, progress, estimates.get(name), detail) for name in STAGES)
    return f'<div class="card">{status(waiting)}<ol class="stages">{"".join(items)}</ol></div>'


def status(sentence: str) -> str:
    """A sentence about what is being waited for, announced politely."""
    return f'<p class="status" role="status">{escape(sentence)}</p>' if sentence else ""


def _stage(name: str, progress: Mapping[str, float | None], estimate: float | None, detail: str) -> str:
    if name not in progress:
        return f'<li><div class="track"></div>{escape(STAGES[name])}</li>'
    share = progress[name]
    if share == 1:
        return f'<li class="done"><div class="track"><i></i></div>{escape(STAGES[name])} ✓</li>'
    about = words.ABOUT.format(seconds=max(1, round(estimate or 1)))
    bar = (
        f'<div class="track"><i style="width:{100 * share:.0f}%"></i></div>'
        if share is not None
        else (f'<div class="track guess"><i style="animation-duration:{estimate or 1:.1f}s"></i></div>')
    )
    said = escape(detail or about)
    return f'<li class="now" aria-current="step">{bar}{escape(STAGES[name])}<small>{said}</small></li>'


def said(sentence: str) -> str:
    """A sentence in place of the stages."""
    return f'<div class="card quiet" role="status">{escape(sentence)}</div>'


def picture(png: bytes, alt: str) -> str:
    """A PNG in the page itself: no file of anybody's signal for others to guess the path of."""
    data = base64.b64encode(png).decode()
    return f'<img class="figure" alt="{escape(alt)}" src="data:image/png;base64,{data}">'


def quality(report: Quality) -> str:
    """How far to trust the recording, and which of its seconds are clean."""
    counts = {"clean": report.clean_seconds, "total": report.clean.size}
    return (
        f'<div class="trust"><span class="pill {escape(report.trust)}">{escape(words.TRUST[report.trust])}</span>'
        f"<span>{escape(words.CLEAN_SECONDS.format(**counts))}</span></div>"
        f"{_seconds(report.clean, words.SECONDS_ALT.format(**counts))}"
    )


def _seconds(clean: npt.NDArray[np.bool_], alt: str) -> str:
    """A strip with one mark for each run of clean seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], clean.astype(np.int8), [0]))))
    runs = "".join(f'<rect x="{a}" width="{b - a}" height="1"/>' for a, b in edges.reshape(-1, 2))
    return (
        f'<svg class="seconds" viewBox="0 0 {max(1, clean.size)} 1" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(alt)}">{runs}</svg>'
    )


def sentences(lines: Iterable[str]) -> str:
    """A plain list, each sentence once."""
    items = (f"<li>{escape(line)}</li>" for line in dict.fromkeys(lines))
    return f'<ul class="plain-list">{"".join(items)}</ul>'


def reading(result: Reading) -> str:
    """The emotion with its uncertainty: headline, nine bars, three classes, valence, where it comes from."""
    first = max(result.probabilities)
    says = words.HEADLINE[result.confidence].format(emotion=result.emotion)
    times = words.TIMES_CHANCE.format(percent=percent(first), times=first * len(emotions.EMOTIONS))
    beside = times if result.certain else f"{times} {words.UNCERTAIN}"
    measured = words.CALIBRATED if result.calibrated else words.NOT_CALIBRATED
    source = f"{words.READOUT[result.readout]}. {words.MODEL}: {result.model}. {words.CODEC}: {result.codec}."
    return (
        f'<div class="headline">{_face(result.emotion)}<div><strong>{escape(says)}</strong>'
        f"<span>{escape(beside)}</span></div></div>{_bars(result.probabilities)}"
        f'<div class="readouts">{_three_classes(result.probabilities)}{_valence(result.valence)}</div>'
        f'<p class="quiet">{escape(measured)}</p><p class="quiet">{escape(source)}</p>'
        f"{sentences(result.notes) if result.notes else ''}"
    )


def percent(share: float) -> str:
    """A share of 1 in whole percent."""
    if 0 < share < 0.005:
        return "< 1 %"
    return f"{100 * share:.0f} %"


def _tone(emotion: str) -> str:
    return emotions.THREE_CLASSES[emotions.CLASS_OF[emotions.EMOTIONS.index(emotion)]]


def _face(emotion: str) -> str:
    brows, mouth = FACES[emotion]
    return (
        f'<svg class="face {_tone(emotion)}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.5" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><circle cx="12" cy="12" r="10.5"/>'
        f'<path d="{brows}"/><path d="{mouth}"/><g fill="currentColor" stroke="none"><circle cx="8.5" cy="11" r="1.2"/>'
        '<circle cx="15.5" cy="11" r="1.2"/></g></svg>'
    )


def _bars(probabilities: emotions.Probabilities) -> str:
    """Most probable first; the scale ends a little above the longest bar, at 40 % or more."""
    ranked = emotions.by_probability(probabilities)
    end = max(0.4, 1.05 * ranked[0][1])
    items = "".join(
        f'<li class="{_tone(emotion)}{" first" if place == 0 else ""}">{_face(emotion)}<span>{escape(emotion)}</span>'
        f'<span class="track"><i class="tone" style="width:{100 * p / end:.1f}%"></i></span>'
        f'<span class="value">{escape(percent(p))}</span></li>'
        for place, (emotion, p) in enumerate(ranked)
    )
    chance = 100 / len(emotions.EMOTIONS) / end
    return (
        f'<ol class="bars" aria-label="{escape(words.PROBABILITIES)}" style="--chance:{chance:.1f}%">{items}</ol>'
        f'<div class="chance">{escape(words.CHANCE)}</div>'
    )


def _three_classes(probabilities: emotions.Probabilities) -> str:
    shares = list(zip(emotions.THREE_CLASSES, emotions.three_classes(probabilities), strict=True))
    parts = "".join(f'<i class="tone {name}" style="flex:{share:.4f}"></i>' for name, share in shares)
    legend = "".join(f'<span class="{name}">{escape(name)} {escape(percent(share))}</span>' for name, share in shares)
    return (
        f'<section><h3>{escape(words.THREE_CLASSES)}</h3><div class="split" aria-hidden="true">{parts}</div>'
        f'<div class="legend">{legend}</div></section>'
    )


def _valence(value: float) -> str:
    alt = words.VALENCE_ALT.format(value=value + 0.0)
    return (
        f'<section><h3>{escape(words.VALENCE)}</h3><div class="axis" role="img" aria-label="{escape(alt)}">'
        f'<i style="left:{50 + 50 * value:.1f}%"></i></div><div class="ends" aria-hidden="true"><span>-1</span>'
        f"<b>{round(value, 2) + 0.0:+.2f}</b><span>+1</span></div></section>"
    )


def prose(assessment: str, suggestions: Sequence[str], *, writing: bool = False) -> str:
    """The assessment and its suggestions; with a cursor while it is being written."""
    paragraphs = "".join(f"<p>{escape(part)}</p>" for part in assessment.split("\n") if part.strip())
    more = f"<h3>{escape(words.SUGGESTIONS)}</h3>{sentences(suggestions)}" if suggestions else ""
    return f'<div class="essay{" writing" if writing else ""}">{paragraphs or "<p></p>"}{more}</div>'
