"""Sleep stages that a file states: read from EDF+ and BDF+, drawn, and shown as a state without any emotion."""

from pathlib import Path

import numpy as np
import pytest

from copilot.eeg import plots
from copilot.eeg.formats.sleep_stages import parse_edf_annotations, select_stages
from copilot.eeg.preprocessing.clean import clean
from copilot.eeg.reader import read
from copilot.eeg.simulate import simulate
from copilot.eeg.states import StateModels, find_sleep
from copilot.eeg.types import Recording, RecordingError, SleepStage
from copilot.result import is_asleep
from tests.helpers.eeg_files import TEN_TWENTY, scalp, write_edf

NIGHT = b"+0\x1510\x14Sleep stage W\x14\0+10\x1520\x14Sleep stage 2\x14\0+30\x1530\x14Sleep stage 4\x14\0"


@pytest.mark.parametrize("bdf", [False, True])
def test_stages_are_read_and_no_other_annotation(tmp_path: Path, bdf: bool) -> None:
    content = b"+5\x14Anna Smith moved\x14\0" + NIGHT + b"+60\x1530\x14Sleep stage ?\x14\0"
    path = write_edf(tmp_path / "night.edf", scalp(60, 200), 200, TEN_TWENTY, annotations=content, bdf=bdf)
    recording = read([path])
    assert recording.stages == (SleepStage(0, 10, "W"), SleepStage(10, 20, "N2"), SleepStage(30, 30, "N3"))
    assert "Anna" not in repr(recording)


def test_stages_come_from_a_hypnogram_beside_the_recording(tmp_path: Path) -> None:
    signal = write_edf(tmp_path / "night.edf", scalp(60, 200), 200, TEN_TWENTY)
    hypnogram = write_edf(tmp_path / "scored.edf", [], 200, [], annotations=NIGHT, seconds=1)
    assert [stage.stage for stage in read([signal, hypnogram]).stages] == ["W", "N2", "N3"]
    with pytest.raises(RecordingError, match="together with its recording"):
        read([hypnogram])


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 50, b"+x\x14Sleep stage W\x14", b"+1\x15nan\x14Sleep stage W\x14", b"+1" * 50_000, b"\x14" * 50_000],
)
def test_damaged_lists_have_no_stages(content: bytes) -> None:
    assert select_stages(parse_edf_annotations(content)) == ()


def stages_of(recording: Recording, *parts: tuple[float, str]) -> Recording:
    start, found = 0.0, []
    for seconds, stage in parts:
        found.append(SleepStage(start, seconds, stage))
        start += seconds
    return Recording(recording.data, recording.sfreq, recording.channels, "EDF", stages=tuple(found))


@pytest.mark.parametrize(
    ("parts", "finding", "emotionless"),
    [
        ([(60, "W")], "awake", False),
        ([(20, "W"), (40, "N2")], "asleep", True),
        ([(20, "W"), (20, "N1"), (20, "R")], "drowsy", True),
        ([(29, "W")], "unclear", False),
    ],
)
def test_the_state_is_that_of_the_stages_and_not_of_the_signal(
    parts: list[tuple[float, str]], finding: str, emotionless: bool
) -> None:
    waking = stages_of(simulate(seconds=60, seed=1), *parts)
    state = find_sleep(waking, StateModels.load())
    assert state is not None
    assert state.finding == finding
    assert "in the file" in state.sentence
    assert is_asleep([state]) == emotionless


def test_cleaning_keeps_the_stages() -> None:
    recording = stages_of(simulate(seconds=30, seed=1), (30, "N2"))
    assert clean(recording)[0].stages == recording.stages


def test_the_hypnogram_has_a_step_for_each_stage_and_a_gap_where_nothing_was_scored() -> None:
    recording = stages_of(simulate(seconds=60, seed=1), (20, "W"), (20, "N3"))
    (line,) = plots.draw_hypnogram(recording).axes[0].lines
    assert np.allclose(line.get_xdata(), np.array([0, 20, 20, 40]) / 60)
    assert list(line.get_ydata()) == [0, 0, -4, -4]
    late = Recording(
        recording.data,
        recording.sfreq,
        recording.channels,
        "EDF",
        stages=(SleepStage(0, 10, "W"), SleepStage(40, 10, "R")),
    )
    (line,) = plots.draw_hypnogram(late, language="zh").axes[0].lines
    assert np.isnan(line.get_ydata()[2])
