"""EEG Emotion Copilot: an EEG and a few words about a person in, an uncertain emotion and a draft record out.

A research tool, not a medical device. ``python -m copilot --help`` lists what it does from a terminal;
``python app.py`` starts the web app.
"""

__version__ = "0.1.0"

from copilot.i18n import N_

NOTICE = N_("AI-assisted draft, not a diagnosis. Research tool, not a medical device.")
