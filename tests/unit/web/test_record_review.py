from pathlib import Path

import gradio as gr

from copilot.web import record_review
from tests.helpers.pages import boxes, drawn, html
from tests.helpers.records import drafted


def test_one_wrong_text_does_not_lose_another(tmp_path: Path) -> None:
    panel, visit = drawn(tmp_path)
    typed = boxes(drafted(), complaint="x" * 4001, follow_up="In two weeks.")
    shown = record_review.take_edits(panel, panel.fields["follow_up"].problem, visit, *typed)
    assert visit.record is not None
    assert visit.record.field("follow_up").value == "In two weeks."
    assert "at most 4000" in html(shown[panel.fields["complaint"].problem])
    assert not html(shown[panel.fields["follow_up"].problem])


def test_a_late_press_in_an_earlier_panel_changes_nothing(tmp_path: Path) -> None:
    panel, visit = drawn(tmp_path)
    first, visit.panel = visit.record, panel.token + 1
    shown = record_review.accept(panel, "emotion", visit, *boxes(drafted(), follow_up="In two weeks."))
    assert shown == gr.skip()
    assert visit.record is first
