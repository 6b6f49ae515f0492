"""Run ``python -m copilot.training.prune``."""

import sys

from copilot.training.prune import main

sys.exit(main())
