"""The one error that the set-up shows without a traceback."""


class SetupError(RuntimeError):
    """What was wrong and what to do about it, in one line."""
