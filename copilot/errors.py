"""The base class of all errors that are shown to a user."""


class CopilotError(Exception):
    """What was asked cannot be done. The message is one sentence that says what is wrong and what to do."""
