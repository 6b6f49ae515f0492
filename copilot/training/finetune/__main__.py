"""Run ``python -m copilot.training.finetune``."""

import sys

from copilot.training.finetune import main

sys.exit(main())
