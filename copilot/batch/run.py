"""Make draft records and one summary from a folder of recordings (see ``run``).

The same command resumes an earlier run: recordings that failed or are missing are read, and records that were made from
another file, person, model or setting are made again.
"""

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from copilot.batch import participants, results, summary
from copilot.batch.backends import local
from copilot.batch.cache_key import compute_cache_key, describe_run
from copilot.batch.worker import BatchError, Outcome, Task
from copilot.eeg import recording_files
from copilot.i18n import N_, Translator, messages
from copilot.settings import Settings
from copilot.text import normalise_line


def run(
    folder: Path, out: Path, settings: Settings, *, table: Path | None = None, workers: int = 0, ray: str = ""
) -> str:
    """Read every recording of a folder; one bad file never stops the rest.

    Args:
        folder: folder of recordings, plain or BIDS.
        out: folder for the records and the summary; see ``results``.
        settings: as for one recording.
        table: table of participants; by default ``participants.tsv`` in the folder, if it exists; see ``participants``.
        workers: number of workers at the same time; 0: as many as there are cores and memory for.
        ray: address of a Ray cluster that reads instead of this machine; see ``ray_cluster``.

    Returns:
        A sentence that reports how many recordings have a record.

    Raises:
        BatchError, EngineError, ClassifierError: the batch cannot start or continue; finished records stay.
    """
    if not table and (folder / "participants.tsv").is_file():
        table = folder / "participants.tsv"
    paths = {path.relative_to(folder).as_posix(): path for path in _find_recordings(folder, out, table)}
    people, faults = participants.read_participants(table, list(paths))
    made_with = describe_run(settings)
    with results.open_results(out) as kept:
        numbers = kept.assign_numbers(list(paths))
        tasks = [_make_task(numbers[name], name, paths, people[name]) for name in paths]
        batch = _Batch(tasks, kept, Translator(settings.language or "en"))
        try:
            batch.find_finished(made_with)
        except KeyboardInterrupt:  # the last run's summary stays: it is more complete
            raise BatchError(
                N_("Stopped before anything was read; what earlier runs finished stays as it is.")
            ) from None
        try:
            batch.keep_outcomes(_run_tasks(batch.list_waiting(), settings, workers, ray, kept.scratch))
        except KeyboardInterrupt:
            raise BatchError(
                N_(
                    "Stopped: {done} of {total} recordings are finished; the same command again goes on from there.",
                    done=batch.done,
                    total=len(tasks),
                )
            ) from None
        finally:
            in_order = sorted(paths, key=lambda name: numbers[name])
            rows = [summary.Row(numbers[n], batch.outcomes.get(numbers[n]), people[n].remarks) for n in in_order]
            summary.write_summary(kept, rows, faults, batch.translate)
    return batch.translate(
        N_("{done} of {total} recordings have their draft record; {folder}/summary.md says the rest."),
        done=batch.done,
        total=len(tasks),
        folder=str(out),
    )


class _Batch:
    """The outcomes of the recordings so far."""

    def __init__(self, tasks: Sequence[Task], kept: results.Results, translate: Translator) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self.translate = translate
        self._tasks, self._kept = tasks, kept
        self._keys: dict[int, str] = {}

    @property
    def done(self) -> int:
        """How many recordings have a record."""
        return sum(outcome.record is not None for outcome in self.outcomes.values())

    def list_waiting(self) -> list[Task]:
        """Return the tasks that have no outcome yet."""
        return [task for task in self._tasks if task.number not in self.outcomes]

    def find_finished(self, made_with: Mapping[str, object]) -> None:
        """Find the records that earlier runs finished; this reads every file once."""
        with _make_bar(self.translate(N_("Looking for what is finished")), len(self._tasks)) as bar:
            for task in self._tasks:
                try:
                    self._keys[task.number] = compute_cache_key(task, made_with)
                    outcome = self._kept.find_finished(task.number, self._keys[task.number])
                except OSError as error:
                    outcome = Outcome(task.number, None, N_(messages.BATCH_NOT_READ, why=error.strerror))
                if outcome:
                    self.outcomes[task.number] = outcome
                bar.update()

    def keep_outcomes(self, outcomes: Generator[Outcome]) -> None:
        """Write each outcome to the folder as soon as it is there."""
        already, total = len(self.outcomes), len(self._tasks)
        with closing(outcomes), _make_bar(self.translate(N_("Recordings")), total, already) as bar:
            for outcome in outcomes:
                self.outcomes[outcome.number] = outcome
                if outcome.record:
                    self._kept.write_record(outcome, self._keys[outcome.number])
                else:
                    self._kept.remove_record(outcome.number)
                    bar.write(normalise_line(f"{outcome.number:04}: {self.translate(outcome.reason)}"), file=sys.stderr)
                bar.update()


def _find_recordings(folder: Path, out: Path, table: Path | None) -> list[Path]:
    """Find the recordings in a folder, without its results and its table of participants.

    Raises:
        BatchError: there is no such folder, or no recording in it.
    """
    if not folder.is_dir():
        raise BatchError(N_("{folder} is not a folder; name the one that holds the recordings.", folder=str(folder)))
    found = recording_files.find_recordings(folder, leave_out=[out, *([table] if table else [])])
    if not found:
        raise BatchError(N_("There is no recording in {folder}; name the folder that holds them.", folder=str(folder)))
    return found


def _make_task(number: int, name: str, paths: Mapping[str, Path], participant: participants.Participant) -> Task:
    """Return the task for one recording.

    Args:
        number: number of the recording.
        name: its path inside the folder, a key of ``paths``.
        paths: paths of all recordings.
        participant: data about the recorded person.
    """
    baselines = tuple(paths[other].absolute() for other in participant.baselines)
    files = recording_files.find_recording_files(paths[name].absolute())
    return Task(number, files, participant.person, participant.patient, baselines)


def _run_tasks(tasks: Sequence[Task], settings: Settings, workers: int, ray: str, scratch: Path) -> Generator[Outcome]:
    """Start the backend that was asked for; see ``run`` for the arguments."""
    if ray and tasks:
        from copilot.batch.backends import ray_cluster

        return ray_cluster.run_tasks(tasks, settings, workers, ray)
    return local.run_tasks(tasks, settings, workers or local.count_workers(settings), scratch)


def _make_bar(doing: str, total: int, already: int = 0) -> Any:
    """Return a progress bar with an estimate on standard error; without a terminal it is a line every 30 seconds."""
    from tqdm import tqdm

    often = 0.2 if sys.stderr.isatty() else 30
    return tqdm(desc=doing, total=total, initial=already, mininterval=often, delay=2, leave=False)
