"""Configs read from a file, and which line fails where one cannot be."""

import traceback
from itertools import pairwise

from mmengine.config import Config
from mmengine.config import config as mmengine_config

from mmselfemd.errors import UserError


def read_config(path: str) -> Config:
    """Read a config.

    Args:
        path (str): The file, which exists.

    Returns:
        Config: With what it inherits.

    Raises:
        UserError: If it, or one that it inherits, is no Python, or a line
            of it fails.
    """
    try:
        return Config.fromfile(path)
    except SyntaxError as error:  # mmengine does not say of which file
        raise UserError(
            f"line {error.lineno} of '{path}', or of a config that it "
            f'inherits, is no Python: {error.msg}'
        ) from error
    except Exception as error:
        where = _failing_line(error)
        if where is None:  # a module that it imports, for instance
            raise
        raise UserError(
            f"line {where.lineno} of '{where.filename}' fails: "
            f'{type(error).__name__}: {error}'
        ) from error


def _failing_line(error: Exception) -> traceback.FrameSummary | None:
    """The line of a config, which mmengine runs, that an error came from."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [
        line
        for caller, line in pairwise(frames)
        if caller.filename == mmengine_config.__file__
        and line.name == '<module>'
    ]
    return lines[-1] if lines else None
