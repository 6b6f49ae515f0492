"""What all command lines of this toolkit share: a parser, and errors and interruptions as one sentence."""

import argparse
import contextlib
import functools
import logging
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import NoReturn, Protocol

from convert.files import first_line
from copilot.errors import CopilotError

SUCCESS, FAILED_CHECK, BAD_INPUT = 0, 1, 2
"""Exit statuses; ``FAILED_CHECK`` is a question that was answered with no."""

INTERRUPTED = "Interrupted; nothing unfinished was kept."


class Main(Protocol):
    """A command: arguments, by default those of the process, to an exit status."""

    def __call__(self, arguments: Sequence[str] | None = None) -> int: ...  # noqa: D102


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, without the usage, and exit."""
        self.exit(BAD_INPUT, f"{message[0].upper()}{message[1:]}; {self.prog} --help says more.\n")


def command(interrupted: str = INTERRUPTED) -> Callable[[Callable[[Sequence[str] | None], None]], Main]:
    """Decorate a ``main(arguments)``: it returns its exit status, and errors are one sentence on standard error.

    Args:
        interrupted: the sentence for Ctrl-C, SIGTERM and SIGHUP.
    """

    def decorate(main: Callable[[Sequence[str] | None], None]) -> Main:
        @functools.wraps(main)
        def run(arguments: Sequence[str] | None = None) -> int:
            with interrupt_on_signals():
                try:
                    main(arguments)
                except (Exception, KeyboardInterrupt) as error:
                    print(explain_error(error, interrupted), file=sys.stderr)
                    return BAD_INPUT
            return SUCCESS

        return run

    return decorate


def explain_error(error: BaseException, interrupted: str = INTERRUPTED) -> str:
    """Return one sentence about an error that ends a command."""
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
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]  # nohup
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
