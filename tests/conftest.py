"""What all tests share: no deadline for a property on a busy machine, and interrupts that arrive."""

import signal

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell starts what it runs in the background with interrupts ignored (nohup: hang-ups), and what is started from
# there inherits that: tests that end a process would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
