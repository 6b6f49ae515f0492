"""When kept records are deleted, by a clock that may be wrong (see ``watch`` and ``due``).

A clock that jumps ahead would make every record old at once. So the last time seen is kept with the records: after a
jump nothing is deleted before the clock has run on, in ordinary steps, for as long as a jump is at least.
"""

from datetime import UTC, datetime, timedelta
from sqlite3 import Connection

from copilot.record.model import timestamp

#: Days between two runs from which on the clock is not believed, and before a deletion in which it is announced.
JUMP_DAYS = NOTICE_DAYS = 30

_OLDER = """SELECT id, max(changed) FROM versions GROUP BY id
    HAVING julianday(?) - julianday(max(changed)) > ? ORDER BY max(changed)"""


def update_clock(connection: Connection, now: datetime) -> datetime:
    """Note the time, in a transaction that writes; returns when deleting resumes, ``now`` or earlier where it may.

    The first run deletes nothing: it cannot know whether the clock is right.
    """
    now = now.astimezone(UTC)
    seen, resumes = _read_clock(connection)
    if seen is None:
        resumes = now + timedelta(seconds=1)
    elif now - seen > timedelta(days=JUMP_DAYS):
        resumes = now + timedelta(days=JUMP_DAYS)
    elif now < seen:  # set right again
        resumes = now
    connection.execute("DELETE FROM clock")
    connection.execute("INSERT INTO clock VALUES (?, ?)", (timestamp(now), timestamp(resumes)))
    return resumes


def find_older(connection: Connection, days: int, now: datetime) -> list[tuple[str, str]]:
    """Id and last change of the records that were last changed more than ``days`` days before ``now``, oldest first."""
    return connection.execute(_OLDER, (timestamp(now), days)).fetchall()


def find_due(connection: Connection, days: int, now: datetime) -> dict[str, datetime]:
    """When each record is deleted, by its id, of those whose time is over within ``NOTICE_DAYS``; soonest first."""
    _, resumes = _read_clock(connection)
    soon = find_older(connection, days - NOTICE_DAYS, now)
    return {id: max(datetime.fromisoformat(changed) + timedelta(days=days), resumes) for id, changed in soon}


def _read_clock(connection: Connection) -> tuple[datetime | None, datetime]:
    """The last time seen, None where there is none, and when deleting resumes."""
    row = connection.execute("SELECT seen, resumes FROM clock").fetchone()
    never = datetime.min.replace(tzinfo=UTC)
    try:
        return (datetime.fromisoformat(row[0]), datetime.fromisoformat(row[1])) if row else (None, never)
    except ValueError:  # somebody changed the file
        return None, never
