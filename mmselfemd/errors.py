"""Mistakes that the user can mend: shown as one line, without a traceback.

The message of each says what was wrong, where, and what to do.
"""


class UserError(Exception):
    """A mistake that the user can mend."""


class UserFileNotFoundError(UserError, FileNotFoundError):
    """A file or folder that the user named is not there."""


class UserValueError(UserError, ValueError):
    """A value or file of the user's does not fit."""


class UserFileExistsError(UserError, FileExistsError):
    """A file or folder is in the way."""


class UserImportError(UserError, ImportError):
    """A package that the user has to install is not there, or is broken."""
