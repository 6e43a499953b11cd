"""Paths and command lines, as they are typed and shown."""

import os
import shlex
from pathlib import Path
from typing import Any

from mmselfemd.errors import UserError
from mmselfemd.tools_folder import tools_folder


def plain_paths(
    **given: str | os.PathLike | None,
) -> dict[str, str | None]:
    """Paths, or addresses, as they go into a config.

    Args:
        **given (str | os.PathLike, optional): As the user gave them, by
            option. None: not given.

    Returns:
        dict[str, str | None]: The same, by :func:`plain_path`.

    Raises:
        UserError: If one is empty.
    """
    return {
        name: None if path is None else plain_path(path, _option(name))
        for name, path in given.items()
    }


def plain_path(path: str | os.PathLike, option: str) -> str:
    """A path, or an address, as it goes into a config.

    Args:
        path (str | os.PathLike): As the user gave it.
        option (str): What it was given by, for the error.

    Returns:
        str: The same, the home folder for ``~``, without a slash at its end.

    Raises:
        UserError: If it is empty, as a variable of the shell is that was not
            set, and not the present folder.
    """
    path = os.fspath(path)
    if not path:
        raise UserError(
            f"{option} '': an empty path. Was it a variable of the shell that "
            'is not set? The present folder is .'
        )
    if '://' in path:
        return path
    # Not `normpath`: behind a folder that is a link, `..` is another one.
    return str(Path(os.path.expanduser(path)))


def tool_command(tool: str, *arguments: Any, **options: Any) -> str:
    """A command line that runs a tool.

    Args:
        tool (str): Its path below ``tools/``.
        *arguments: What stands without a name.
        **options: By name; None and False are left out, True has no value, a
            list has several.

    Returns:
        str: For the shell, from the present folder.
    """
    path = tools_folder() / tool
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    program = f'python {shlex.quote(str(path))}'
    return command_line(program, *arguments, **options)


def command_line(program: str, *arguments: Any, **options: Any) -> str:
    """A command line.

    Args:
        program (str): What is run, for the shell.
        *arguments: See :func:`tool_command`.
        **options: Likewise.

    Returns:
        str: For the shell.
    """
    words = [_word(argument) for argument in arguments]
    for name, value in options.items():
        if value is None or value is False:
            continue
        values = value if isinstance(value, list | tuple) else [value]
        words.append(_option(name))
        words += [] if value is True else map(_word, values)
    return ' '.join([program, shlex.join(words)])


def _option(name: str) -> str:
    return f'--{name.replace("_", "-")}'


def _word(value: Any) -> str:
    """The same for 4095 and 4095.0."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value)
