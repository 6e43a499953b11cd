"""What a file that cannot be read safely ends in: one error, in words."""

import errno
import pickle
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from mmselfemd.errors import UserError, UserValueError

__all__ = ['Refusal', 'UnsafeCheckpointError', 'reading']

#: What Python's parsers, numpy and torch raise at bytes that are none of
#: theirs.
_PARSER_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.PickleError,
    struct.error,
    zipfile.BadZipFile,
)


class UnsafeCheckpointError(UserError, RuntimeError):
    """A file holds more, or claims to hold more, than plain numbers."""


class Refusal(Exception):
    """Says what a file holds that is not read; `reading` names the file."""


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Turn whatever a file's content makes of its parser into one error.

    Args:
        source (str): The file, for the message.

    Raises:
        UnsafeCheckpointError: If the block raised :class:`Refusal`.
        UserValueError: If it raised what parsers raise at damaged files.
        UserError: If the disk cannot be read.
    """
    try:
        yield
    except (UserError, FileNotFoundError):
        raise
    except OSError as error:
        if error.errno == errno.EINVAL:  # a place that is in no file
            raise _damage(source, error) from error
        raise UserError(
            f'{source} cannot be read: {error.strerror or error}.'
        ) from error
    except Refusal as error:
        raise UnsafeCheckpointError(
            f'{source} is refused: it holds {error}. Read are tensors whose '
            'numbers are all in the file, numbers, strings and plain '
            'containers; the rest could run code or take any amount of '
            'memory. Ask its author for a plain state dict; or, only if you '
            'trust the file, open it in a throw-away environment and save '
            "dict(state_dict=...) with the tensors' clones."
        ) from None
    except _PARSER_ERRORS as error:
        raise _damage(source, error) from error


def _damage(source: str, error: Exception) -> UserValueError:
    return UserValueError(
        f'{source} is damaged, incomplete or of another format '
        f'({type(error).__name__}). Download or copy it again.'
    )
