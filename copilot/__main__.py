"""Run ``python -m copilot`` (see ``copilot.cli``)."""

import sys

from copilot.cli import main

if __name__ == "__main__":
    sys.exit(main())
