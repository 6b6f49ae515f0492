"""Write the paper's corpus (arXiv 2410.00166) as JSON lines, one record per line:

``python -m copilot.training.dataset --features faced_de.npz --info Recording_info.csv --out corpus.jsonl``
``python -m copilot.training.dataset --bids DIR --out corpus.jsonl``
``python -m copilot.training.dataset --recordings DIR --labels table.csv --out corpus.jsonl``

Each segment of EEG gives a prompt compared with the person's own normal, where they have one, and one compared with
other people's; each of these without the classifier's line and with it. Beside the corpus is its receipt,
``corpus.receipt.json``: how prompts were made, what was counted and left out. The same input gives the same bytes.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from copilot.command_line import Parser, command
from copilot.eeg import text_encoding
from copilot.eeg.classifier import Classifier
from copilot.files import hash_file, write_atomically
from copilot.settings import Settings
from copilot.training import faced
from copilot.training.dataset import faced_features, labels, recordings
from copilot.training.dataset.jsonl import (
    COUNTED,
    LeftOutRecording,
    SegmentSource,
    classifier_path,
    receipt_path,
    write_corpus,
)
from copilot.training.faced import CorpusError


def from_features(path: Path, info: Path | None, codec: str, classifier: Path) -> SegmentSource:
    """Return the segments of FACED's features; fit the classifier on them and save it.

    Args:
        path: FACED's features, an npz.
        info: FACED's ``Recording_info.csv``, or None.
        codec: name of the text encoding.
        classifier: file to write the fitted classifier to.

    Raises:
        CorpusError: the features or the table cannot be used, or the text encoding needs the signal itself.
        FileError: the classifier cannot be written.
    """
    faced_features.refuse_codec(codec)
    loaded = faced.load(path)
    known = faced_features.read_info(info) if info else {}
    origin = {"features": path.name, "sha256": hash_file(path)} | ({"info": info.name} if info else {})
    fitted = faced_features.FittedClassifiers.fit(faced_features.select_training_people(loaded))
    with write_atomically(classifier) as partial:
        fitted.classifier.save(partial)
    origin |= {"decoder": classifier.name, "decoder_sha256": hash_file(classifier)}
    bad = [subject for subject in faced.BAD_SUBJECTS if subject in loaded.subjects]
    left_out = [
        LeftOutRecording(faced_features.subject_name(subject), "known to be a bad recording") for subject in bad
    ]
    return SegmentSource(faced_features.make_segments(loaded, fitted, codec, known), origin, left_out)


def from_recordings(
    labelled: Sequence[recordings.LabelledInterval], classifier: Path, codec: str, name: str
) -> SegmentSource:
    """Return the segments of labelled recordings.

    Args:
        labelled: the labelled intervals.
        classifier: file of a classifier that was not fitted on these people.
        codec: name of the text encoding.
        name: name of the BIDS folder or table, for the receipt.
    """
    loaded = Classifier.load(classifier)
    left_out: list[LeftOutRecording] = []
    origin = {"recordings": name, "decoder": classifier.name, "decoder_sha256": loaded.sha256}
    return SegmentSource(recordings.make_segments(labelled, codec, loaded, left_out), origin, left_out)


@command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Write the corpus and print what it contains."""
    # 1. The options; those that would do nothing are refused.
    parser = Parser(
        prog="python -m copilot.training.dataset",
        description="Write labelled EEG as the records that a language model is fine-tuned with: JSON lines with "
        "prompt, emotion_label, treatment and where they come from, and a receipt beside them.",
    )
    add = parser.add_argument
    sources = parser.add_mutually_exclusive_group(required=True)
    sources.add_argument("--features", type=Path, metavar="FILE", help="FACED's differential entropy, an .npz")
    sources.add_argument("--bids", type=Path, metavar="DIR", help="a BIDS folder whose events name emotions")
    sources.add_argument("--recordings", type=Path, metavar="DIR", help="a folder of recordings, with --labels")
    add("--out", type=Path, required=True, metavar="FILE", help="what to write, such as corpus.jsonl")
    add(
        "--codec",
        choices=list(text_encoding.CODECS),
        default=text_encoding.DEFAULT,
        help="how EEG becomes text (default: %(default)s)",
    )
    add("--info", type=Path, metavar="FILE", help="with --features: FACED's Recording_info.csv (gender, age, Hz)")
    add(
        "--labels",
        type=Path,
        metavar="FILE",
        help="with --recordings: a .csv with the columns file and emotion, and, where known, subject, start, stop "
        "(seconds), gender, age, appearance, complaint, history",
    )
    add("--label-column", metavar="NAME", help="with --bids: the events' column that names emotions")
    add(
        "--decoder",
        type=Path,
        metavar="FILE",
        help="with recordings: a classifier that was not fitted on these people (default: the program's own)",
    )
    add("--no-evidence", dest="evidence", action="store_false", help="no prompts with the classifier's line")
    add("--seed", type=int, default=0, help="seed of what is drawn at random (default: %(default)s)")
    options = parser.parse_args(arguments)
    for option, source in (("info", "features"), ("labels", "recordings"), ("label_column", "bids")):
        if getattr(options, option) is not None and getattr(options, source) is None:
            raise CorpusError(f"--{option.replace('_', '-')} belongs to --{source}.")
    if options.decoder and options.features:
        raise CorpusError("--decoder belongs to recordings; for --features one is fitted.")
    if options.recordings and not options.labels:
        raise CorpusError("--recordings needs a table of their emotions: --labels table.csv.")

    # 2. The source of the segments.
    out: Path = options.out
    if options.features:
        segments = from_features(options.features, options.info, options.codec, classifier_path(out))
    else:
        decoder = options.decoder or Settings.from_environment().decoder
        if options.bids:
            labelled, name = labels.read_bids(options.bids, options.label_column), options.bids.name
        else:
            labelled, name = labels.read_label_table(options.recordings, options.labels), options.labels.name
        segments = from_recordings(labelled, decoder, options.codec, name)

    # 3. The corpus, and what it contains.
    facts = write_corpus(segments, out, codec=options.codec, seed=options.seed, with_evidence=options.evidence)
    for one in segments.left_out:
        print(f"Left out: {one.clip}: {one.reason}", file=sys.stderr)
    counts: Any = facts["counts"]
    print(f"{out}: {facts['lines']} records of {len(counts['subject'])} people, {out.stat().st_size / 1e6:.1f} MB")
    for name in COUNTED[:-1]:
        print(f"{name}: {', '.join(f'{value} {count}' for value, count in counts[name].items())}")
    if left_out := segments.left_out:
        print(f"left out: {len(left_out)}, reasons in {receipt_path(out).name}")
