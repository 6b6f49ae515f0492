"""The web app: ``python app.py`` serves it on http://127.0.0.1:7860, or as docs/configuration.md says."""

import sys

from copilot.web.app import serve

if __name__ == "__main__":
    sys.exit(serve())
