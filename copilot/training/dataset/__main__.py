"""Run ``python -m copilot.training.dataset``."""

import sys

from copilot.training.dataset import main

sys.exit(main())
