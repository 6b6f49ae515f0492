"""Determine when kept records expire, with a clock that may be wrong (see ``update_clock`` and ``find_due``).

A clock that jumps ahead would make every record old at once. So the time of the last run is kept with the records:
after a jump, nothing is deleted before the clock has advanced by ``JUMP_DAYS`` more, in ordinary steps.
"""

from datetime import UTC, datetime, timedelta
from sqlite3 import Connection

from copilot.record.model import timestamp

#: Days between two runs after which the clock is not trusted; and days before a deletion in which it is announced.
JUMP_DAYS = NOTICE_DAYS = 30

_OLDER = """SELECT id, max(changed) FROM versions GROUP BY id
    HAVING julianday(?) - julianday(max(changed)) > ? ORDER BY max(changed)"""


def update_clock(connection: Connection, now: datetime) -> datetime:
    """Store the time of this run and return when deleting resumes; ``now`` or earlier: records may be deleted.

    The first run deletes nothing: it cannot know whether the clock is right.

    Args:
        connection: a transaction that writes.
        now: time of this run.
    """
    now = now.astimezone(UTC)
    seen, resumes = _read_clock(connection)
    if seen is None:
        resumes = now + timedelta(seconds=1)
    elif now - seen > timedelta(days=JUMP_DAYS):
        resumes = now + timedelta(days=JUMP_DAYS)
    elif now < seen:  # the clock was corrected
        resumes = now
    connection.execute("DELETE FROM clock")
    connection.execute("INSERT INTO clock VALUES (?, ?)", (timestamp(now), timestamp(resumes)))
    return resumes


def find_older(connection: Connection, days: int, now: datetime) -> list[tuple[str, str]]:
    """Return id and last change of the records last changed more than ``days`` days before ``now``, oldest first."""
    return connection.execute(_OLDER, (timestamp(now), days)).fetchall()


def find_due(connection: Connection, days: int, now: datetime) -> dict[str, datetime]:
    """Return when each record will be deleted, by its id, soonest first; only those due within ``NOTICE_DAYS``.

    Args:
        connection: a transaction.
        days: days after its last change at which a record expires.
        now: the present time.
    """
    _, resumes = _read_clock(connection)
    soon = find_older(connection, days - NOTICE_DAYS, now)
    return {id: max(datetime.fromisoformat(changed) + timedelta(days=days), resumes) for id, changed in soon}


def _read_clock(connection: Connection) -> tuple[datetime | None, datetime]:
    """Return the time of the last run, None if there was none, and when deleting resumes."""
    row = connection.execute("SELECT seen, resumes FROM clock").fetchone()
    never = datetime.min.replace(tzinfo=UTC)
    try:
        return (datetime.fromisoformat(row[0]), datetime.fromisoformat(row[1])) if row else (None, never)
    except ValueError:  # the file was changed by hand
        return None, never
