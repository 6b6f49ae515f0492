import pytest

from copilot import pipeline
from copilot.web.html import format_percent, message, render
from copilot.web.results import render_emotion
from tests.helpers.pages import NASTY, SAY, reading


def test_text_from_outside_is_escaped() -> None:
    shown = (
        render("prose", SAY, lang="en", assessment=NASTY, suggestions=[NASTY], writing=False)
        + message("problem", NASTY)
        + message("urgent", NASTY)
        + message("good-news", NASTY)
        + render("masthead", SAY, model=NASTY, where=NASTY, addresses={}, languages={})
        + render(
            "stages", SAY, names=pipeline.STAGES, waiting=NASTY, progress={"read": None}, estimates={}, detail=NASTY
        )
        + render("done", SAY, sentences=[NASTY])
        + render_emotion(SAY, reading([1 / 9] * 9, model=NASTY, codec=NASTY, notes=(NASTY,)))
    )
    assert "<img" not in shown
    assert shown.count("&lt;img") == 13


@pytest.mark.parametrize(("share", "shown"), [(0.0, "0 %"), (0.004, "< 1 %"), (0.006, "1 %"), (0.995, "100 %")])
def test_a_small_share_is_not_shown_as_none(share: float, shown: str) -> None:
    assert format_percent(share) == shown
