"""Language models that the copilot can ask: in this process or on a server."""
