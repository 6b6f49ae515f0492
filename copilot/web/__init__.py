"""The web app."""

import os

# Before Gradio is imported: it contacts two hosts at start otherwise.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
