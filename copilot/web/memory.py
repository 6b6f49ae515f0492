"""Bound the memory that visitors take (see ``forget_closed_pages``, ``return_memory``).

======================================  ==============================  ======================================
Kept in a session                       How much                        Until
======================================  ==============================  ======================================
files of the recording and baselines    what was uploaded, see          others are chosen, Clear
                                        ``EEG_COPILOT_MAX_UPLOAD_MB``
two pictures for the record             1 MB                            the next analysis, Clear
parts of the page and the record panel  1 MB                            the session is forgotten
messages of prompt and chat, record     0.1 MB                          the next analysis, Clear
cleaned signal, with a store only       4 bytes a sample: 3.4 MB for    the next analysis, Clear
                                        3 minutes of 19 channels
======================================  ==============================  ======================================

A session is forgotten when ``layout.MAX_SESSIONS`` others were used after it. One whose page was closed is
kept, an hour at most, only while it is among the last ``MAX_CLOSED`` of these: a laptop that sleeps looks like a page
that was closed, and its record has to be there when it wakes.
"""

import ctypes
import gc
import sys
from typing import Any

import gradio as gr

#: Closed pages whose sessions are kept, for visitors who return.
MAX_CLOSED = 10


def forget_closed_pages(page: gr.Blocks, session: str | None) -> None:
    """Forget the sessions of closed pages but the last ``MAX_CLOSED``.

    Gradio itself empties their ``gr.State`` after an hour, and keeps all other values of the page.

    Args:
        page: the launched page.
        session: Gradio's name of the page that has just been closed.
    """
    holder: Any = page.state_holder
    with holder.lock:
        sessions = holder.session_data
        if session in sessions:  # this very call makes one for a page on which nothing was done
            sessions[session].is_closed = True
        closed = [name for name, state in sessions.items() if state.is_closed]  # the last used at the end
        for name in closed[:-MAX_CLOSED]:
            del sessions[name]
            holder.time_last_used.pop(name, None)
    if len(closed) > MAX_CLOSED:
        return_memory()


def return_memory() -> None:
    """Return freed memory to the system.

    Drawing takes and frees some 70 MB in whichever thread it happens, and glibc keeps that for each thread on its own:
    the process would grow by it until every thread has drawn once.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none, and needs none
        if trim:
            trim(0)
