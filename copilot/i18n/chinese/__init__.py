"""Every string in Chinese (simplified), by its English one; a module a room."""

from copilot.i18n.chinese import batch, page, program, record, signal

CHINESE: dict[str, str] = {**page.WORDS, **record.WORDS, **signal.WORDS, **program.WORDS, **batch.WORDS}
