"""Gateway 112: the emergency-call gateway beside Asterisk. `docs/architecture.md` is the way in."""

__version__ = "0.1.0"
