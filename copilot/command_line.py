"""One parser, and one handling of errors, interruptions and closed pipes, for all command lines."""

import argparse
import contextlib
import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import NoReturn, Protocol

SUCCESS, BAD_INPUT = 0, 2
"""Exit statuses that mean the same everywhere."""

INTERRUPTED = "Interrupted; nothing unfinished was kept."


class Main(Protocol):
    """A command: it takes arguments, by default those of the process, and returns an exit status."""

    def __call__(self, arguments: Sequence[str] | None = None) -> int: ...  # noqa: D102


class Parser(argparse.ArgumentParser):
    """A parser that reports an error in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Print the error without the usage and exit."""
        self.exit(BAD_INPUT, f"{message[0].upper()}{message[1:]}; {self.prog} --help says more.\n")


def command(interrupted: str = INTERRUPTED) -> Callable[[Callable[[Sequence[str] | None], None]], Main]:
    """Decorate a ``main(arguments)`` so that it returns an exit status and prints errors as one sentence.

    Args:
        interrupted: the sentence to print after Ctrl-C, SIGTERM or SIGHUP.
    """

    def decorate(main: Callable[[Sequence[str] | None], None]) -> Main:
        @functools.wraps(main)
        def run(arguments: Sequence[str] | None = None) -> int:
            with interrupt_on_signals():
                try:
                    main(arguments)
                    sys.stdout.flush()
                except BrokenPipeError:
                    drop_output()
                except (Exception, KeyboardInterrupt) as error:
                    print(explain_error(error, interrupted), file=sys.stderr)
                    return BAD_INPUT
            return SUCCESS

        return run

    return decorate


def drop_output() -> None:
    """Drop what is left to print, because the reader of the output is gone, as with ``| head``.

    Without it Python tries to print it at its exit, and reports an error.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def explain_error(error: BaseException, interrupted: str = INTERRUPTED) -> str:
    """Return one sentence for an error that ends a command.

    Args:
        error: the exception.
        interrupted: the sentence for an interruption.
    """
    import logging  # these are imported here so that --help is quick

    from copilot.errors import CopilotError
    from copilot.text import first_line

    match error:
        case CopilotError():
            return str(error)
        case KeyboardInterrupt():
            return interrupted
        case MemoryError():
            return "There is not enough memory for this model."
    logging.getLogger("convert").debug("Unforeseen", exc_info=error)
    return f"This should not happen, please report it: {type(error).__name__}: {first_line(error)}."


@contextlib.contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP like Ctrl-C, so that what is unfinished is removed."""
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]  # as under nohup
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
