"""Run ``python -m copilot.training.evaluate``."""

import sys

from copilot.training.evaluate import main

sys.exit(main())
