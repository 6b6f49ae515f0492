"""Make draft records and one summary from a folder of recordings (see ``run``).

The same command resumes an earlier run: recordings that failed or are missing are read, and records that were made from
another file, person, model or setting are made again.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from copilot.batch import participants, results, summary
from copilot.batch.backends import local
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
    # 1. The recordings of the folder, without its results and its table, and the people.
    if not table and (folder / "participants.tsv").is_file():
        table = folder / "participants.tsv"
    if not folder.is_dir():
        raise BatchError(N_("{folder} is not a folder; name the one that holds the recordings.", folder=str(folder)))
    found = recording_files.find_recordings(folder, leave_out=[out, *([table] if table else [])])
    if not found:
        raise BatchError(N_("There is no recording in {folder}; name the folder that holds them.", folder=str(folder)))
    paths = {path.relative_to(folder).as_posix(): path.absolute() for path in found}
    people, faults = participants.read_participants(table, list(paths))
    made_with = results.describe_run(settings)
    translate = Translator(settings.language or "en")
    with results.open_results(out) as kept:
        numbers = kept.assign_numbers(list(paths))
        tasks = []
        for name, path in paths.items():
            who, files = people[name], recording_files.find_recording_files(path)
            baselines = tuple(paths[other] for other in who.baselines)
            tasks.append(Task(numbers[name], files, who.person, who.patient, baselines))

        # 2. What earlier runs finished.
        try:
            keys, outcomes = _find_finished(tasks, made_with, kept, translate)
        except KeyboardInterrupt:  # the last run's summary stays: it is more complete
            raise BatchError(
                N_("Stopped before anything was read; what earlier runs finished stays as it is.")
            ) from None

        # 3. Read the others; each outcome is written as soon as it is there, and the summary whatever happens.
        try:
            waiting = [task for task in tasks if task.number not in outcomes]
            if ray and waiting:
                from copilot.batch.backends import ray_cluster

                reading = ray_cluster.run_tasks(waiting, settings, workers, ray)
            else:
                reading = local.run_tasks(waiting, settings, workers or local.count_workers(settings), kept.scratch)
            with closing(reading), _make_bar(translate(N_("Recordings")), len(tasks), len(outcomes)) as bar:
                for outcome in reading:
                    outcomes[outcome.number] = outcome
                    if outcome.record:
                        kept.write_record(outcome, keys[outcome.number])
                    else:
                        kept.remove_record(outcome.number)
                        reason = normalise_line(f"{outcome.number:04}: {translate(outcome.reason)}")
                        bar.write(reason, file=sys.stderr)
                    bar.update()
        except KeyboardInterrupt:
            raise BatchError(
                N_(
                    "Stopped: {done} of {total} recordings are finished; the same command again goes on from there.",
                    done=_count_records(outcomes.values()),
                    total=len(tasks),
                )
            ) from None
        finally:
            in_order = sorted(paths, key=lambda name: numbers[name])
            rows = [summary.Row(numbers[n], outcomes.get(numbers[n]), people[n].remarks) for n in in_order]
            summary.write_summary(kept, rows, faults, translate)
    return translate(
        N_("{done} of {total} recordings have their draft record; {folder}/summary.md says the rest."),
        done=_count_records(outcomes.values()),
        total=len(tasks),
        folder=str(out),
    )


def _find_finished(
    tasks: Sequence[Task], made_with: Mapping[str, object], kept: results.Results, translate: Translator
) -> tuple[dict[int, str], dict[int, Outcome]]:
    """Return cache keys and finished outcomes by the number of their task; this reads every file once."""
    keys, outcomes = {}, {}
    with _make_bar(translate(N_("Looking for what is finished")), len(tasks)) as bar:
        for task in tasks:
            try:
                keys[task.number] = results.compute_cache_key(task, made_with)
                outcome = kept.find_finished(task.number, keys[task.number])
            except OSError as error:
                outcome = Outcome(task.number, None, N_(messages.BATCH_NOT_READ, why=error.strerror))
            if outcome:
                outcomes[task.number] = outcome
            bar.update()
    return keys, outcomes


def _count_records(outcomes: Iterable[Outcome]) -> int:
    return sum(outcome.record is not None for outcome in outcomes)


def _make_bar(doing: str, total: int, already: int = 0) -> Any:
    """Return a progress bar with an estimate on standard error; without a terminal it is a line every 30 seconds."""
    from tqdm import tqdm

    often = 0.2 if sys.stderr.isatty() else 30
    return tqdm(desc=doing, total=total, initial=already, mininterval=often, delay=2, leave=False)
