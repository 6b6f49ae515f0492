from dataclasses import replace

from copilot import pipeline
from copilot.eeg.states import StateModels
from copilot.events import StageBegun, StageProgress
from copilot.i18n import N_, messages
from copilot.web.queue import Ahead
from copilot.web.results import ResultScreen, render_emotion
from tests.helpers.pages import SAY, html, idle, reading
from tests.helpers.serving import laid_out


def test_bars_carry_nine_probabilities_three_classes_and_valence() -> None:
    shown = render_emotion(SAY, reading([0.02, 0.02, 0.02, 0.04, 0.1, 0.1, 0.1, 0.5, 0.1]))
    assert [shown.count(f"<span>{name}</span>") for name in pipeline.emotions.EMOTIONS] == [1] * 9
    assert "Film recognised: joy" in shown
    assert "50 %" in shown
    assert "negative 10 %" in shown
    assert "positive 80 %" in shown
    assert "+0.70" in shown


def test_flat_probabilities_are_called_uncertain() -> None:
    assert "Uncertain" in render_emotion(SAY, reading([1 / 9] * 9))
    assert "Uncertain" not in render_emotion(SAY, reading([0.9, 0.1, 0, 0, 0, 0, 0, 0, 0]))


def test_a_reading_that_names_nothing_has_no_face_and_no_bars() -> None:
    shown = render_emotion(SAY, reading([1 / 9] * 9, situation="any", reliability=N_("right in 11 of 100")))
    assert "The EEG does not single out an emotion" in shown
    assert "right in 11 of 100" in shown
    assert 'class="bars"' not in shown
    assert "times chance" not in shown
    leaning = render_emotion(SAY, reading([0.2, *[0.1] * 8], situation="any", reliability=N_("right in 16 of 100")))
    assert 'class="bars"' in leaning
    assert "Leaning" not in leaning


def test_states_stand_before_the_emotion() -> None:
    closed = StateModels.load().make_evidence("eyes", "closed")
    shown = render_emotion(SAY, replace(reading([0.02, 0.02, 0.02, 0.04, 0.1, 0.1, 0.1, 0.5, 0.1]), states=(closed,)))
    assert shown.index("Eyes closed") < shown.index("times in 100") < shown.index("Film recognised: joy")


def test_calibration_is_claimed_only_where_it_was_measured() -> None:
    measured, other = (render_emotion(SAY, reading([1 / 9] * 9, calibrated=calibrated)) for calibrated in (True, False))
    assert messages.CALIBRATED in measured
    assert messages.CALIBRATED not in other
    assert messages.NOT_CALIBRATED in other


def test_stages_show_what_is_done_and_how_long_the_rest_takes() -> None:
    page = laid_out(idle())
    screen = ResultScreen(page)
    screen.show(StageBegun("read", 1))
    screen.show(StageBegun("clean", 4))
    shown = html(screen.show(StageProgress("clean", 0.5, "finding eye movements"))[page.results.progress])
    assert "Reading the file ✓" in shown
    assert "width:50%" in shown
    assert "finding eye movements" in shown
    assert "about 3 s" in html(screen.show(StageBegun("write", 3))[page.results.progress])


def test_place_in_the_line_is_said() -> None:
    page = laid_out(idle())
    one, three = (html(ResultScreen(page).show(Ahead(count))[page.results.progress]) for count in (1, 3))
    assert N_("1 person is ahead of you. Your turn comes by itself.") in one
    assert "3 people are ahead" in three
