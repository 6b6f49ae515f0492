"""Run ``python -m copilot.training.clusters``."""

import sys

from copilot.training.clusters import main

sys.exit(main())
