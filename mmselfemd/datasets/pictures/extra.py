"""The libraries of the extra ``mmselfemd[images]``, where they are there."""

from importlib import import_module
from types import ModuleType

from ..transforms.encoded_image import BrokenImageError


def imported(module: str, package: str, what: str) -> ModuleType:
    """Import a library that not everyone has.

    Args:
        module (str): Its name in Python, such as ``pillow_heif``.
        package (str): Its name for pip, such as ``pillow-heif``.
        what (str): What needs it, such as ``'a HEIC'``.

    Returns:
        ModuleType: The library.

    Raises:
        BrokenImageError: If it is missing, or cannot be imported; the message
            names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise BrokenImageError(
            f'it is {what}, which needs the Python package {package}: '
            f'pip install "mmselfemd[images]" ({error})'
        ) from error
