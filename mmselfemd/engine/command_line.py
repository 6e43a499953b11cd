"""What the command line tools share: errors for people, option parsing."""

import argparse
import errno
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmselfemd.errors import UserError
from mmselfemd.settings.loggers import LOGGERS
from mmselfemd.settings.option_values import parse_option

#: Warnings about which a user can do nothing: of each loader without a GPU,
#: and where the first step is of several accumulated batches, since mmengine's
#: schedulers go by batches.
_FALSE_ALARMS = (
    "'pin_memory' argument is set as true",
    r'Detected call of `scheduler\.step\(\)` before `optimizer\.step\(\)`',
)

#: What disks and folders do to any tool.
_DISK = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
)


class CfgOptionsAction(argparse.Action):
    """``KEY=VALUE`` arguments, in place of mmengine's ``DictAction``.

    What differs, and why, is in :func:`parse_option`.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the options to the namespace; leave with 2 where one is bad."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for value in values or ():
            key, equals, text = value.partition('=')
            if not key or not equals:
                parser.error(
                    f'{option_string} {value}: expected KEY=VALUE, '
                    'without spaces around "="; quote what has spaces, '
                    'e.g. "KEY=my photos"'
                )
            try:
                options[key] = parse_option(key, text)
            except ValueError as error:
                parser.error(
                    f'{option_string} {value}: {error}; quote the whole, '
                    'e.g. "KEY=[1,2]"'
                )
        setattr(namespace, self.dest, options)


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, which every tool with a config has.

    Args:
        parser (argparse.ArgumentParser): Where it goes.
    """
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptionsAction,
        metavar='KEY=VALUE',
        help='settings that replace those of the config, e.g. '
        'train_dataloader.batch_size=2 model.backbone.depth=18; '
        'a list is written "key=[a,b]"; a path is taken as it stands, '
        'spaces and commas included',
    )


def add_shared_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that every tool has: those of mmdet's tools."""
    parser.add_argument(
        '--work-dir',
        help='directory of logs and checkpoints; '
        'by default ./work_dirs/<config name>',
    )
    add_cfg_options(parser)
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes (default: none)',
    )
    parser.add_argument(
        '--local_rank',
        '--local-rank',
        type=int,
        default=0,
        help='set by old launchers',
    )


def add_image_values(parser: argparse.ArgumentParser) -> None:
    """Add ``--value-range`` and ``--bands``, for images that need them.

    Args:
        parser (argparse.ArgumentParser): Where they go.
    """
    parser.add_argument(
        '--value-range',
        type=float,
        nargs=2,
        metavar=('BLACK', 'WHITE'),
        help='of images of more than 8 bits, the values that become black '
        'and white; by default measured, where it is needed',
    )
    parser.add_argument(
        '--bands',
        type=int,
        nargs='+',
        help='numbers, from 0, of the bands that become red, green and blue, '
        'or of the one that becomes grey',
    )


def add_loggers(parser: argparse.ArgumentParser) -> None:
    """Add ``--loggers``, which every tool that trains has.

    Args:
        parser (argparse.ArgumentParser): Where it goes.
    """
    parser.add_argument(
        '--loggers',
        nargs='+',
        choices=LOGGERS,
        default=(),
        help='where else to log to, by iteration (docs/loggers.md)',
    )


def run_tool(main: Callable[[], Any]) -> None:
    """Run a tool's ``main``; show a :class:`UserError` as one last line.

    So is a disk that is full or read-only, a folder that is not the user's to
    write into, or a file where a folder should be. The exit status is then 2,
    as for the errors of argparse. Other errors keep their traceback. Under a
    launcher only the first process of a host shows the user's mistake; the
    last line of any error is also left in the file that
    ``MMSELFEMD_ERROR_FILE`` names, so that ``tools/dist_run.sh`` can repeat
    it after the launcher's own report.

    Args:
        main (Callable): The tool.
    """
    sys.argv[1:] = map(_with_home, sys.argv[1:])
    for message in _FALSE_ALARMS:
        warnings.filterwarnings('ignore', message)
    try:
        main()
    except Exception as error:
        said = _said_of(error)
        if said is None:
            _leave_for_launcher(f'{type(error).__name__}: {error}')
            raise
        line = f'{os.path.basename(sys.argv[0])}: error: {said}'
        _leave_for_launcher(line)
        # All processes make the user's mistake; a disk may fail one alone.
        is_of_all = isinstance(error, UserError)
        if not is_of_all or os.environ.get('LOCAL_RANK', '0') == '0':
            print(line, file=sys.stderr)
        sys.exit(2)


def name_and_path(text: str) -> tuple[str, str]:
    """Take ``NAME=PATH``, or a path alone, apart.

    Args:
        text (str): As it was given. What is there is a path, although it may
            have a ``=`` of its own, as ``lr=0.1/run``.

    Returns:
        tuple[str, str]: The name, empty if there is none, and the path.
    """
    if Path(text).exists():
        return '', text
    name, equals, path = text.partition('=')
    return (name, path) if equals else ('', text)


def _said_of(error: Exception) -> str | None:
    """What the user can mend; None for what is no such thing."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _DISK:
        place = '' if error.filename is None else f": '{error.filename}'"
        return f'{error.strerror}{place}'
    return None


def _with_home(argument: str) -> str:
    """No shell expands the ``~`` of ``--out=~/runs``, as of ``--out ~/runs``.

    What follows ``--cfg-options`` is left to :func:`expand_home`.
    """
    name, equals, value = argument.partition('=')
    if name.startswith('--') and value.startswith('~'):
        value = os.path.expanduser(value)
    return f'{name}{equals}{value}'


def _leave_for_launcher(line: str) -> None:
    if path := os.environ.get('MMSELFEMD_ERROR_FILE'):
        with open(path, 'w') as file:
            print(line, file=file)
