"""The store: what it keeps, finds, refuses and really deletes, and that no kill loses what was signed."""

import multiprocessing
import os
import random
import resource
import shutil
import sqlite3
import stat
import tempfile
import time
import uuid
import zipfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest

from copilot.person import PatientIdentity
from copilot.record import database, review
from copilot.record.database import Database, StoreError
from copilot.record.export.json_format import from_json, to_json
from copilot.record.export.markdown import to_markdown
from copilot.record.model import Figures, RecordError, digest, timestamp
from copilot.record.review import Reviewer, accept, amend, edit
from copilot.record.store import FILE, Store
from tests.helpers import records
from tests.helpers.records import NOW

WU, SORIA = Reviewer("Dr. Wu", "physician"), Reviewer("Dr. Soria", "neurologist")

#: Children are forked from a process that has imported all this once.
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["tests.unit.record.test_store"])


def drafted(name="", number="", assessment="Calm.", trust="good", now=NOW):
    record = records.drafted(trust=trust, patient=PatientIdentity(name=name, number=number), assessment=assessment)
    return replace(record, created=timestamp(now))


def signed(record, reviewer=WU):
    for field in record.pending:
        record = accept(record, field.key, reviewer, NOW)
    return review.sign(record, reviewer, "I have reviewed it.", NOW)


def pictures_of(record):
    """Bytes that belong to this record alone, on many pages of the file."""
    return Figures(f"signal of {record.id} ".encode() * 800, f"bands of {record.id} ".encode() * 800)


def filed(tmp_path):
    return {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


from_json(to_json(drafted()))  # what reading a record imports takes longer than all that a child does


# What is kept


def test_a_record_comes_back_as_it_was_with_its_pictures(tmp_path):
    record, bare = drafted("李华"), drafted()
    Store(tmp_path).save(record, pictures_of(record))
    Store(tmp_path).save(bare)
    assert Store(tmp_path).open(record.id) == (record, pictures_of(record))
    assert Store(tmp_path).open(bare.id) == (bare, None)


def test_every_signed_version_stays_and_the_draft_moves_on(tmp_path):
    store, draft = Store(tmp_path), drafted("Ada")
    first = signed(draft)
    second = edit(amend(first, SORIA, NOW), "assessment", "Tense.", SORIA, NOW)
    third = signed(second, SORIA)
    for record in (draft, first, first, second, third):
        store.save(record, pictures_of(draft))
    assert [(entry.version, entry.status) for entry in store.versions(draft.id)] == [(2, "signed"), (1, "signed")]
    assert store.open(draft.id, 1) == (first, pictures_of(draft))
    assert store.open(draft.id) == (third, pictures_of(draft))


def test_what_was_never_kept_cannot_be_opened(tmp_path):
    store, record = Store(tmp_path), drafted()
    store.save(record)
    for id, version in ((drafted().id, None), (record.id, 2), ("", None)):
        with pytest.raises(StoreError, match="not kept here"):
            store.open(id, version)


def test_pictures_of_a_record_cannot_be_exchanged_later(tmp_path):
    store, record = Store(tmp_path), signed(drafted())
    store.save(record, pictures_of(record))
    store.save(record, pictures_of(drafted()))
    assert store.open(record.id) == (record, pictures_of(record))


def test_only_the_user_can_read_folder_and_files(tmp_path):
    folder = tmp_path / "data" / "copilot"
    Store(folder).save(drafted())
    (folder / FILE).chmod(0o644)  # as a copy that somebody put back
    Store(folder)
    with Database(folder / FILE).transaction(write=True) as connection:
        connection.execute("DELETE FROM versions")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {FILE: 0o600, f"{FILE}-journal": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


# Signed is locked


def test_a_signed_version_is_never_saved_over(tmp_path):
    store, record = Store(tmp_path), signed(drafted())
    store.save(record)
    draft = replace(record, signature=None)
    forged = signed(edit(draft, "assessment", "Furious.", SORIA, NOW), SORIA)
    for other in (draft, forged, replace(draft, version=2, amends="c" * 64)):
        with pytest.raises(StoreError, match="Somebody else changed this record"):
            store.save(other)
    assert store.open(record.id)[0] == record


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE versions SET record = '{}'",
        "UPDATE versions SET status = 'draft'",
        "INSERT OR REPLACE INTO versions SELECT id, version, 'draft', changed, '{}' FROM versions",
    ],
)
def test_no_other_program_writes_over_a_signed_version(tmp_path, change):
    store, record = Store(tmp_path), signed(drafted())
    store.save(record)
    other = sqlite3.connect(tmp_path / FILE)
    with pytest.raises(sqlite3.IntegrityError, match="locked"):
        other.execute(change)
    other.close()
    assert store.open(record.id)[0] == record


# The list


def test_the_list_has_the_newest_version_of_each_record_the_last_changed_first(tmp_path):
    store = Store(tmp_path)
    old = drafted("Ada", "A-7", trust="poor", now=NOW - timedelta(days=3))
    new, newest = drafted(now=NOW - timedelta(days=1)), signed(drafted(now=NOW - timedelta(days=2)))
    for record in (newest, new, old):
        store.save(record)
    store.save(amend(newest, SORIA, NOW))
    assert [(entry.id, entry.version) for entry in store.find()] == [(newest.id, 2), (new.id, 1), (old.id, 1)]
    last = store.find()[-1]
    assert (last.status, last.created, last.changed) == ("draft", "2026-02-26T10:30:00Z", "2026-02-26T10:30:00Z")
    assert (last.headline, last.label) == (old.headline, "Ada, A-7")
    assert store.find()[0].label == ""


@pytest.mark.parametrize(
    "words",
    [
        "ada",
        "ADA calm",
        "LOVELACE  most",
        "李",
        "李华",
        "\uff21\uff24\uff21",
        "straße",
        "STRASSE",
        "50_%",
        "_%",
        "wu",
        'said "no"',
        "a\\b",
    ],
)
def test_words_are_found_wherever_they_stand_in_a_record(tmp_path, words):
    store = Store(tmp_path)
    record = drafted("Ada Lovelace 李华", "50_%", 'Calm, lives in a Straße, said "no" to a\\b.')
    store.save(accept(record, "assessment", WU, NOW))
    store.save(drafted("Bob", "5000", "Tense."))
    assert [entry.id for entry in store.find(words)] == [record.id]


@pytest.mark.parametrize("words", ["ada bob", "50%", "5_0", "*", "' OR 1=1", "sha256", "王"])
def test_words_that_stand_in_no_record_find_none(tmp_path, words):
    store = Store(tmp_path)
    store.save(drafted("Ada", "500"))
    store.save(drafted("Bob", "500"))
    assert store.find(words) == []


def test_text_that_was_edited_away_is_found_too_since_the_history_keeps_it(tmp_path):
    store, record = Store(tmp_path), drafted(assessment="Melancholic.")
    store.save(edit(record, "assessment", "Calm.", WU, NOW))
    assert [entry.id for entry in store.find("melancholic")] == [record.id]


def broken(text, other):
    return {
        "cut": text[: len(text) // 2],
        "bytes": b"\xff\xfe" + text.encode(),
        "byte in a name": text.encode().replace(b"Ada", b"A\xe4a"),
        "tampered": text.replace("Ada", "Eve"),
        "of another": to_json(other),
        "empty": "",
        "deep": "[" * 100_000,
    }


@pytest.mark.parametrize("how", broken("", drafted()))
def test_a_damaged_record_is_listed_as_such_and_the_others_stay_usable(tmp_path, how):
    store, record, other = Store(tmp_path), signed(drafted("Ada")), drafted("Bob")
    store.save(record)
    store.save(other)
    text = broken(to_json(record), other)[how]
    change = sqlite3.connect(tmp_path / FILE)
    change.execute("DROP TRIGGER signed_is_not_updated")
    change.execute("UPDATE versions SET record = CAST(? AS TEXT) WHERE id = ?", (text, record.id))
    change.commit()
    change.close()
    headlines = {entry.id: entry.headline for entry in store.find()}
    assert headlines[other.id] == other.headline
    assert "damaged" in headlines[record.id]
    for act in (lambda: store.open(record.id), lambda: store.save(amend(record, WU, NOW))):
        with pytest.raises(StoreError, match="damaged"):
            act()
    assert store.open(other.id) == (other, None)
    kept = text if isinstance(text, bytes) else text.encode()
    assert [file for name, file in unzipped(store).items() if name.startswith("unreadable/")] == [kept]
    store.delete(record.id)
    assert [entry.id for entry in store.find()] == [other.id]


# Export


def unzipped(store):
    with zipfile.ZipFile(BytesIO(store.export_all())) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_export_has_every_version_and_no_name_of_a_person_in_a_file_name(tmp_path):
    store, draft, bare = Store(tmp_path), drafted("Ada", "A-7"), drafted("Bob")
    first = signed(draft)
    second = amend(first, WU, NOW)
    for record in (draft, first, second):
        store.save(record, pictures_of(draft), b"the signal")
    store.save(bare)
    files, id = unzipped(store), draft.id
    assert files == {
        f"{id}/record-{id[:8]}-v1-signed.json": to_json(first).encode(),
        f"{id}/record-{id[:8]}-v1-signed.md": to_markdown(first).encode(),
        f"{id}/record-{id[:8]}-v2-draft.json": to_json(second).encode(),
        f"{id}/record-{id[:8]}-v2-draft.md": to_markdown(second).encode(),
        f"{id}/signal.png": pictures_of(draft).signal,
        f"{id}/bands.png": pictures_of(draft).bands,
        f"{id}/signal.npz": b"the signal",
        f"{bare.id}/record-{bare.id[:8]}-v1-draft.json": to_json(bare).encode(),
        f"{bare.id}/record-{bare.id[:8]}-v1-draft.md": to_markdown(bare).encode(),
    }
    assert from_json(files[f"{id}/record-{id[:8]}-v1-signed.json"].decode()) == first


def test_an_empty_store_exports_an_empty_archive(tmp_path):
    assert unzipped(Store(tmp_path)) == {}


def test_no_record_has_an_id_that_would_be_a_path():
    with pytest.raises(RecordError, match="id: it is of another kind"):
        replace(drafted(), id="../../../../etc/cron.d/record-of-thirty-six")


# Deleting


def traces(record, folder):
    """Which marks of this record are left in a file of the folder."""
    name, number = record.field("name").value, record.field("number").value
    marks = (record.id, name, number, f"signal of {record.id}", f"bands of {record.id}", f"eeg of {record.id}")
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return [mark for mark in marks if mark.encode() in kept]


def test_no_byte_of_a_deleted_record_is_left_in_any_file(tmp_path):
    store, dice = Store(tmp_path), random.Random(1)
    records = [
        drafted(f"Ada {uuid.uuid4()} 李华", f"A-{uuid.uuid4()}", "word " * dice.randint(1, 500)) for _ in range(40)
    ]
    for draft in records:
        first = signed(draft)
        for record in (draft, first, amend(first, SORIA, NOW)):
            store.save(record, pictures_of(draft), f"eeg of {draft.id} ".encode() * 500)
        assert len(traces(draft, tmp_path)) == 6
    size = (tmp_path / FILE).stat().st_size
    for record in records[::2]:
        store.delete(record.id)
    assert [traces(record, tmp_path) for record in records[::2]] == [[]] * 20
    assert all(len(traces(record, tmp_path)) == 6 for record in records[1::2])
    assert (tmp_path / FILE).stat().st_size < 0.6 * size
    assert {entry.id for entry in store.find()} == {record.id for record in records[1::2]}
    store.delete(records[0].id)  # somebody else was first: nothing to do


def test_what_was_last_changed_too_long_ago_is_deleted(tmp_path):
    store = Store(tmp_path)
    old, fresh = signed(drafted("Ada", "A-1")), signed(drafted("Bob", "B-1"))
    store.save(old, pictures_of(old))
    store.save(fresh)
    store.save(amend(fresh, WU, NOW + timedelta(days=300)))
    assert store.expire(365, NOW + timedelta(days=365)) == 0
    assert store.expire(365, NOW + timedelta(days=365, seconds=60)) == 1
    assert traces(old, tmp_path) == []
    assert [entry.version for entry in store.versions(fresh.id)] == [2, 1]
    assert store.expire(10**12, NOW + timedelta(days=9999)) == 0


def test_traces_of_a_deletion_that_was_cut_short_go_with_the_next_expiry(tmp_path):
    store, record = Store(tmp_path), drafted("Ada", "A-1")
    store.save(record, pictures_of(record))
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("PRAGMA secure_delete = OFF")
    for table in ("versions", "measured"):
        other.execute(f"DELETE FROM {table}")
    other.commit()
    other.close()
    assert len(traces(record, tmp_path)) == 5
    assert store.expire(365, NOW) == 0
    assert traces(record, tmp_path) == []


# Two reviewers at once


def save_edited(folder, text, name):
    """What a second reviewer's process does: its own change to the record that both have open."""
    try:
        Store(folder).save(edit(from_json(text), "assessment", f"{name} was here.", Reviewer(name, "physician"), NOW))
    except StoreError as error:
        return str(error)
    return "saved"


def test_of_reviewers_who_change_the_same_record_at_once_one_wins_and_the_others_are_told(tmp_path):
    record = drafted()
    Store(tmp_path).save(record)
    names = ("Wu", "Soria", "Okafor", "Lind")
    with ProcessPoolExecutor(4, mp_context=WARM) as others:
        told = list(others.map(save_edited, [tmp_path] * 4, [to_json(record)] * 4, names))
    assert told.count("saved") == 1
    assert sum("Open it again from the list" in sentence for sentence in told) == 3
    kept = Store(tmp_path).open(record.id)[0]
    assert kept.field("assessment").value == f"{names[told.index('saved')]} was here."
    assert len(kept.history) == 1


def test_the_loser_opens_the_record_again_and_both_changes_are_kept(tmp_path):
    store, record = Store(tmp_path), drafted()
    store.save(record)
    store.save(edit(record, "number", "7", WU, NOW))
    late = edit(record, "name", "Ada", SORIA, NOW)
    with pytest.raises(StoreError, match="repeat them there"):
        store.save(late)
    store.save(edit(store.open(record.id)[0], "name", "Ada", SORIA, NOW))
    kept = store.open(record.id)[0]
    assert [change.name for change in kept.history] == ["Dr. Wu", "Dr. Soria"]
    assert (kept.field("name").value, kept.field("number").value) == ("Ada", "7")


def test_what_one_reviewer_deleted_does_not_come_back_when_another_saves_it(tmp_path):
    store, record = Store(tmp_path), drafted("Ada", "A-7")
    store.save(record, pictures_of(record))
    mine = edit(store.open(record.id)[0], "assessment", "Tense.", WU, NOW)
    store.save(mine, must_exist=True)
    store.delete(record.id)
    with pytest.raises(StoreError, match=r"not kept any more.*Keep it again"):
        store.save(accept(mine, "suggestions", WU, NOW), pictures_of(record), must_exist=True)
    assert (store.find(), traces(record, tmp_path)) == ([], [])
    store.save(mine)
    assert store.open(record.id) == (mine, None)


def with_text(record, key, text):
    """The record with another text and the same history."""
    sections = (
        replace(section, fields=tuple(replace(f, value=text) if f.key == key else f for f in section.fields))
        for section in record.sections
    )
    return replace(record, sections=tuple(sections))


def test_texts_that_the_history_does_not_explain_are_not_saved_over_what_is_kept(tmp_path):
    store, record = Store(tmp_path), drafted()
    store.save(record)
    good = accept(edit(record, "assessment", "Tense.", WU, NOW), "suggestions", WU, NOW)
    wrong = (
        with_text(record, "follow_up", "Call."),
        with_text(good, "assessment", "Furious."),
        with_text(good, "follow_up", "Call."),
        replace(good, sections=record.sections),
        replace(good, sections=good.sections[1:]),
    )
    for other in wrong:
        with pytest.raises(StoreError, match="Somebody else changed this record"):
            store.save(other)
    assert store.open(record.id)[0] == record
    store.save(good)
    assert store.open(record.id)[0] == good


def test_threads_share_a_store(tmp_path):
    store = Store(tmp_path)

    def review(number):
        record = drafted(f"Ada {number}")
        for step in range(5):
            record = edit(record, "assessment", f"Step {step}.", WU, NOW)
            store.save(record)
            assert record.id in {entry.id for entry in store.find(f"ada {number}")}
        return record

    with ThreadPoolExecutor(6) as threads:
        records = list(threads.map(review, range(6)))
    assert [store.open(record.id)[0] for record in records] == records


def test_the_first_start_of_several_at_once_makes_one_store(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(Store, [tmp_path / "new"] * 8))
    stores[0].save(drafted())
    assert all(len(store.find()) == 1 for store in stores)


def test_who_cannot_wait_any_longer_is_asked_to_try_again(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "LOCK_TIMEOUT_S", 0.1)
    store, record = Store(tmp_path), drafted()
    with Database(tmp_path / FILE).transaction(write=True), pytest.raises(StoreError, match="try again in a moment"):
        store.save(record)
    store.save(record)
    assert store.open(record.id)[0] == record


# What can go wrong with a disk


def in_child(act, *arguments):
    """What ``act`` returns or says in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=WARM) as child:
        return child.submit(act, *arguments).result(timeout=60)


def fill_the_disk(folder):
    """Saves until no file can grow any more; how many were saved, and what the next was told."""
    store = Store(folder)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
    for count in range(100):
        try:
            store.save(record := signed(drafted(f"Ada {count}")), pictures_of(record))
        except StoreError as error:
            return count, str(error)
    return 100, ""


def test_a_full_disk_is_told_and_nothing_that_was_kept_is_lost(tmp_path):
    saved, told = in_child(fill_the_disk, tmp_path)
    assert saved > 2
    assert (
        told
        == f"The disk with {tmp_path / FILE} is full or fails, so nothing was changed. Make room on it and try again."
    )
    store = Store(tmp_path)
    assert sorted(entry.label for entry in store.find()) == sorted(f"Ada {number}" for number in range(saved))
    for entry in store.find():
        record, pictures = store.open(entry.id)
        assert (record.status, pictures) == ("signed", pictures_of(record))
    store.save(drafted())


def save_as_nobody(folder):
    if os.geteuid() == 0:
        os.setuid(65534)
    try:
        Store(folder).save(drafted())
    except StoreError as error:
        return str(error)
    return "saved"


def test_a_folder_that_cannot_be_written_is_told():
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    try:
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        assert in_child(save_as_nobody, folder) == "saved"
        before = filed(folder)
        folder.chmod(0o500)
        assert "cannot be written" in in_child(save_as_nobody, folder)
        assert "cannot be written" in in_child(save_as_nobody, folder / "within")
        assert filed(folder) == before
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_a_file_where_the_folder_should_be_is_told(tmp_path):
    (tmp_path / "data").write_text("mine")
    with pytest.raises(StoreError, match="EEG_COPILOT_DATA"):
        Store(tmp_path / "data")
    assert (tmp_path / "data").read_text() == "mine"


@pytest.mark.parametrize("damage", [b"not a database at all " * 100, None])
def test_a_damaged_file_is_told_and_left_as_it_is(tmp_path, damage):
    store = Store(tmp_path)
    for _ in range(20):
        store.save(record := drafted(), pictures_of(record))
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(damaged := damage or whole[:4096] + os.urandom(20 * 4096) + whole[21 * 4096 :])
    for act in (store.find, lambda: store.save(drafted()), lambda: Store(tmp_path).find()):
        with pytest.raises(StoreError, match=r"is damaged or holds no kept records\. Move it"):
            act()
    assert filed(tmp_path) == {FILE: damaged}


def test_a_store_of_a_newer_version_is_not_touched(tmp_path):
    store, record = Store(tmp_path), drafted()
    store.save(record)
    newer = sqlite3.connect(tmp_path / FILE)
    newer.execute("PRAGMA user_version = 2")
    newer.close()
    before = filed(tmp_path)
    for act in (lambda: Store(tmp_path), store.find, lambda: store.delete(record.id), lambda: store.save(record)):
        with pytest.raises(StoreError, match="Another version of EEG Emotion Copilot"):
            act()
    assert filed(tmp_path) == before


# Killed a hundred times


def review_without_end(folder, reports):
    """Draft, review, sign, amend and delete; report what is done, once it is."""
    store = Store(folder)
    for count in range(10**6):
        record = drafted(assessment="word " * random.randint(1, 2000))
        store.save(record, pictures_of(record))
        if count % 2 == 0:
            store.delete(record.id)
            reports.send(("deleted", record.id, 1, ""))
            continue
        store.save(record := accept(record, "assessment", WU, NOW))
        for _ in range(2):
            store.save(record := signed(record))
            reports.send(("signed", record.id, record.version, digest(record)))
            store.save(record := edit(amend(record, WU, NOW), "assessment", f"Again {count}.", WU, NOW))


def killed_reviewer(folder, after):
    """Let a process review for so many seconds, kill it, and return what it reported."""
    receiver, reports = WARM.Pipe(duplex=False)
    child = WARM.Process(target=review_without_end, args=(folder, reports))
    child.start()
    reports.close()
    time.sleep(after)
    child.kill()
    child.join()
    told = []
    while True:
        try:
            told.append(receiver.recv())
        except EOFError:
            receiver.close()
            return told


def check_whole(folder):
    """Every row can be read and has its own pictures, SQLite finds no fault, and the next save tidies up."""
    store = Store(folder)
    for entry in store.find():
        record, pictures = store.open(entry.id)
        assert pictures == pictures_of(record)
        assert {older.created for older in store.versions(entry.id)} == {record.created}
    plain = sqlite3.connect(folder / FILE)
    assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    ids = [
        plain.execute(f"SELECT DISTINCT id FROM {table} ORDER BY id").fetchall() for table in ("versions", "measured")
    ]
    plain.close()
    assert ids[0] == ids[1]
    store.save(record := drafted(), pictures_of(record))
    assert list(filed(folder)) == [FILE]


def test_a_hundred_kills_lose_nothing_signed_and_leave_nothing_half(tmp_path):
    cut_short, signed_ones, deleted = 0, 0, 0
    for kill in range(100):
        folder = tmp_path / str(kill // 5)  # anew now and then: the making of a store is killed too
        told = killed_reviewer(folder, random.uniform(0.0, 0.2))
        cut_short += (folder / f"{FILE}-journal").exists()
        check_whole(folder)
        store = Store(folder)
        for what, id, version, sha256 in told:
            if what == "deleted":
                deleted += 1
                assert store.versions(id) == []
                assert id.encode() not in (folder / FILE).read_bytes()
            else:
                signed_ones += 1
                assert digest(store.open(id, version)[0]) == sha256
    assert 0 not in (cut_short, signed_ones, deleted)  # or nothing was shown
