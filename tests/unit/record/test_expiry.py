"""Kept records and a clock that jumps, a file that is not the store's own, and what deleting leaves behind."""

import os
import random
import sqlite3
import stat
from datetime import timedelta

import pytest

from copilot.record.database import StoreError
from copilot.record.review import amend, edit
from copilot.record.store import FILE, Store
from tests.helpers.records import NOW
from tests.unit.record.test_store import SORIA, WU, drafted, filed, pictures_of, signed, traces

DAY = timedelta(days=1)


@pytest.mark.parametrize("days", [31, 366, 3650, 365_000])
def test_a_clock_that_jumps_ahead_deletes_nothing(tmp_path, days):
    store, record, draft = Store(tmp_path), signed(drafted("Ada")), drafted("Bob")
    store.save(record)
    store.save(draft)
    assert store.expire(365, NOW) == 0
    wrong = NOW + days * DAY
    for hours in (0, 1, 2, 24, 24 * 29):  # runs on with the wrong time, an hour, a day, a month
        assert store.expire(365, wrong + timedelta(hours=hours)) == 0
    assert Store(tmp_path).expire(365, NOW + DAY) == 0  # set right, and wrong again
    assert Store(tmp_path).expire(365, wrong) == 0
    assert {entry.id for entry in store.find()} == {record.id, draft.id}
    assert store.open(record.id)[0] == record


def test_a_first_start_with_a_wrong_clock_deletes_nothing(tmp_path):
    store, record = Store(tmp_path), signed(drafted())
    store.save(record)
    assert store.expire(365, NOW + 5000 * DAY) == 0
    assert store.open(record.id)[0] == record


def test_after_a_long_pause_deleting_resumes_when_it_was_announced_for_a_month(tmp_path):
    store, record = Store(tmp_path), signed(drafted("Ada", "A-1"))
    store.save(record)
    store.expire(365, NOW)
    back = NOW + 500 * DAY
    assert store.expire(365, back) == 0
    assert store.find_due(365, back) == {record.id: back + 30 * DAY}
    assert store.expire(365, back + 15 * DAY) == 0
    assert store.expire(365, back + 30 * DAY) == 1
    assert traces(record, tmp_path) == []


def test_a_clock_that_runs_deletes_in_time(tmp_path):
    store, record = Store(tmp_path), signed(drafted("Ada", "A-1"))
    store.save(record, pictures_of(record))
    deleted = [day for day in range(0, 400, 5) if store.expire(365, NOW + day * DAY)]
    assert deleted == [370]
    assert traces(record, tmp_path) == []


def test_what_is_due_is_known_a_month_before(tmp_path):
    store = Store(tmp_path)
    old, later = signed(drafted(now=NOW - 10 * DAY)), signed(drafted(now=NOW + 20 * DAY))
    amended = amend(later, WU, NOW + 20 * DAY)
    for record in (old, later, amended):
        store.save(record)
    store.expire(365, NOW)
    assert store.find_due(365, NOW + 300 * DAY) == {}
    due = store.find_due(365, NOW + 340 * DAY)
    # Signing counts as a change, and so does amending.
    assert due == {old.id: NOW + 365 * DAY}
    assert list(store.find_due(365, NOW + 360 * DAY).items()) == [
        (old.id, NOW + 365 * DAY),
        (later.id, NOW + 385 * DAY),
    ]


def test_a_clock_that_jumps_back_leaves_records_usable(tmp_path):
    store, draft, before = Store(tmp_path), drafted("Ada"), NOW - 1000 * DAY
    store.save(draft)
    store.expire(365, NOW)
    later = edit(draft, "assessment", "Tense.", WU, before)
    store.save(later)
    assert store.expire(365, before) == 0
    store.save(other := drafted("Bob", now=before))
    store.save(first := signed(later))
    store.save(third := amend(first, SORIA, before))
    assert [(e.version, e.status) for e in store.versions(draft.id)] == [(2, "draft"), (1, "signed")]
    assert store.open(draft.id)[0] == third
    assert {entry.id for entry in store.find()} == {draft.id, other.id}
    assert store.expire(365, before + DAY) == 0


def test_a_store_of_an_earlier_version_gets_a_clock(tmp_path):
    store, record = Store(tmp_path), signed(drafted())
    store.save(record)
    earlier = sqlite3.connect(tmp_path / FILE)
    earlier.execute("DROP TABLE clock")
    earlier.close()
    store = Store(tmp_path)
    assert store.find_due(365, NOW + 364 * DAY) == {record.id: NOW + 365 * DAY}
    assert store.expire(365, NOW + 500 * DAY) == 0
    assert store.open(record.id)[0] == record


@pytest.mark.parametrize("seen", ["", "yesterday", "9999-99-99", "\udcff"])
def test_a_clock_that_somebody_changed_is_as_good_as_none(tmp_path, seen):
    store, record = Store(tmp_path), signed(drafted())
    store.save(record)
    store.expire(365, NOW)
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("UPDATE clock SET seen = CAST(? AS TEXT)", (seen.encode(errors="surrogateescape"),))
    other.commit()
    other.close()
    assert store.expire(365, NOW + 500 * DAY) == 0


# The file


@pytest.mark.parametrize("kind", ["link to a file", "link to nothing", "folder", "pipe"])
def test_only_a_plain_file_is_the_stores(tmp_path, kind):
    target, folder = tmp_path / "other", tmp_path / "data"
    target.write_text("mine")
    target.chmod(0o644)
    folder.mkdir()
    match kind:
        case "link to a file":
            (folder / FILE).symlink_to(target)
        case "link to nothing":
            (folder / FILE).symlink_to(tmp_path / "none")
        case "folder":
            (folder / FILE).mkdir()
        case "pipe":
            os.mkfifo(folder / FILE)
    with pytest.raises(StoreError, match="is a link or no plain file"):
        Store(folder)
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert target.read_text() == "mine"
    assert not (tmp_path / "none").exists()


def test_damage_that_sqlite_itself_cannot_spell_is_told(tmp_path):
    """The text of a table that SQLite quotes in its error is not UTF-8."""
    store = Store(tmp_path)
    store.save(drafted())
    whole = (tmp_path / FILE).read_bytes()
    name = b"triggersigned_is_not_updated"
    damaged = whole.replace(name, name[:-5] + b"\xff\xfe\x80\xc3\xff").replace(b"CREATE TRIGGER", b"CREATE TRIXGER")
    assert name in whole
    (tmp_path / FILE).write_bytes(damaged)
    for act in (lambda: Store(tmp_path), store.find, lambda: store.save(drafted()), lambda: store.expire(9, NOW)):
        with pytest.raises(StoreError, match="is damaged or holds no kept records"):
            act()


def test_no_damage_ends_in_anything_but_a_sentence(tmp_path):
    store, dice = Store(tmp_path), random.Random(5)
    for number in range(3):
        store.save(record := signed(drafted(f"Ada {number}")), pictures_of(record))
    whole, told = (tmp_path / FILE).read_bytes(), 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(dice.choice((1, 3, 10))):
            at = dice.randrange(dice.choice((100, 4096, 8192, len(whole) - 200)))
            damaged[at : at + 8] = dice.choice((b"\xff\xfe\x80\xc3" * 2, dice.randbytes(8), bytes(8)))
        (tmp_path / f"{FILE}-journal").unlink(missing_ok=True)
        (tmp_path / FILE).write_bytes(damaged)
        for act in (
            lambda: Store(tmp_path),
            lambda: store.find("ada"),
            store.export_all,
            lambda: [store.open(entry.id) for entry in store.find()],
            lambda: store.expire(365, NOW),
            lambda: store.find_due(365, NOW),
            lambda: store.save(drafted()),
        ):
            try:
                act()
            except StoreError:
                told += 1
    assert told > 50  # or nothing was shown


# Deleted means deleted


@pytest.mark.parametrize("mode", ["WAL", "PERSIST", "TRUNCATE"])
def test_no_byte_of_a_deleted_record_is_left_whatever_another_program_did(tmp_path, mode):
    """Another program that opened the file may have asked for a log, or for journals that stay."""
    store, record, stays = Store(tmp_path), drafted("Ada 李华", "A-7"), drafted("Bob", "B-1")
    store.save(record, pictures_of(record))
    store.save(stays, pictures_of(stays))
    other = sqlite3.connect(tmp_path / FILE)
    other.execute(f"PRAGMA journal_mode = {mode}")
    other.execute("PRAGMA secure_delete = OFF")
    other.execute("INSERT INTO measured SELECT id || '-copy', signal, bands, eeg FROM measured")
    other.execute("DELETE FROM measured WHERE id LIKE '%-copy'")
    other.commit()
    other.close()
    store.save(edit(record, "assessment", "Tense.", WU, NOW))
    store.delete(record.id)
    assert traces(record, tmp_path) == []
    assert len(traces(stays, tmp_path)) == 5
    assert list(filed(tmp_path)) == [FILE]


def test_what_expired_leaves_no_byte_either(tmp_path):
    store, record = Store(tmp_path), signed(drafted("Ada 李华", "A-7"))
    store.save(record, pictures_of(record), f"eeg of {record.id} ".encode() * 500)
    assert len(traces(record, tmp_path)) == 6
    store.expire(20, NOW)
    assert store.expire(20, NOW + 21 * DAY) == 1
    assert traces(record, tmp_path) == []
    assert list(filed(tmp_path)) == [FILE]
