"""A run, its config beside it, and how both are begun and gone on with."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

from mmengine.config import Config

from mmselfemd.atomic_file import atomic_write
from mmselfemd.datasets.annotations.content import forget_files
from mmselfemd.engine.launch import train
from mmselfemd.engine.resume import find_checkpoint_to_resume
from mmselfemd.engine.run_settings import check_work_dir
from mmselfemd.errors import UserError, UserFileExistsError
from mmselfemd.settings.config_file import read_config
from mmselfemd.settings.loggers import check_loggers
from mmselfemd.tools_folder import tools_folder

from .command_lines import command_line, tool_command
from .config_text import Setting, config_text, in_one_line
from .long_command import ENDED_BY_SIGNAL, run_command

_MARK = '# Written for: '


class RunFolder:
    """The folder of a run, and the config beside it.

    The config is ``WORK_DIR.py``: in the folder itself mmengine writes the
    resolved one.

    Args:
        tool (str): The tool that the run is for, below ``tools/``.
        given (dict): Its options, ``work_dir`` among them.
        loggers (Sequence[str]): Where else it is logged to; no part of what
            the run is. Defaults to none.

    Raises:
        UserError: If the folder has no name to call the config by, or a logger
            cannot be used.
    """

    def __init__(
        self, tool: str, given: dict, loggers: Sequence[str] = ()
    ) -> None:
        check_loggers(loggers)
        self.loggers = list(loggers)
        self.path = Path(given['work_dir'])
        if self.path.name in ('', '..'):
            raise UserError(
                f'--work-dir {self.path}: the config is written beside the '
                'folder of the run and called by its name. Name a folder of '
                'its own, e.g. --work-dir work_dirs/first'
            )
        self.command = command_line(f'python tools/{tool}', **given)
        self.config = self.path.with_name(f'{self.path.name}.py')

    def complete(
        self,
        unit: str,
        plan: Callable[[], None],
        dry_run: bool,
        report: Callable[[str], None],
    ) -> Path:
        """Plan the run and train by the config, each unless it is done.

        Args:
            unit (str): What the run is counted in, ``epoch`` or ``iter``.
            plan (Callable): Writes the config.
            dry_run (bool): Whether to end when the config is written.
            report (Callable): Gets lines to show.

        Returns:
            Path: The checkpoint that the run ends with; with ``dry_run``
            where it will be.

        Raises:
            UserError: If another run is in the folder, or this one cannot be
                gone on with.
        """
        if self.is_begun():
            report(f'{self.config} is there: the run goes on by it')
        else:
            plan()
            report(f'The config: {self.config}')
        last = self.last_checkpoint(unit)
        if dry_run:
            report(f'To train by it: {self.training_command()}')
        elif last.is_file():
            report(f'The run is finished: {last}')
        else:
            self.train()
        return last

    def is_begun(self) -> bool:
        """Whether the config is there, of the same command.

        Returns:
            bool: False where neither it nor a run is there.

        Raises:
            UserFileExistsError: If it is of another command, or if there is a
                run without it.
        """
        check_work_dir(str(self.path))
        if not self.config.exists():
            if found := find_checkpoint_to_resume(self.path):
                raise UserFileExistsError(
                    f"'{self.path}' has checkpoints of another run ({found}), "
                    f"which '{self.config}' does not belong to. Name another "
                    'folder: --work-dir DIR, or remove it'
                )
            return False
        former = self._former_command()
        if former != in_one_line(self.command):
            raise UserFileExistsError(
                f"'{self.config}' is there already, written for: {former}. "
                f'This command is: {self.command}. Name another folder: '
                f"--work-dir DIR; or remove it and '{self.path}'; or train it "
                f'as it is: {tool_command("train.py", self.config)} --resume'
            )
        return True

    def _former_command(self) -> str:
        text = ''
        if self.config.is_file():
            text = self.config.read_text('utf-8', errors='replace')
        marked = [line for line in text.split('\n') if line.startswith(_MARK)]
        return (
            marked[0].removeprefix(_MARK)
            if marked
            else 'nothing that is known'
        )

    def write(
        self, notes: Iterable[str], base: str, settings: Iterable[Setting]
    ) -> None:
        """Write the config.

        Args:
            notes (Iterable[str]): What is to be known of the whole, in lines.
            base (str): The config that it inherits.
            settings (Iterable[Setting]): What it sets.
        """
        header = [
            f'{_MARK}{self.command}'.removeprefix('# '),
            'Change what you like: the same command goes on with this file,',
            'and so does tools/train.py.',
            *notes,
        ]
        settings = [
            Setting('_base_', [base]),
            Setting('work_dir', str(self.path)),
            *settings,
        ]
        with atomic_write(self.config) as file:
            file.write(config_text(header, settings).encode())

    @cached_property
    def settings(self) -> Config:
        """The config as it is when this is first asked, whoever wrote it.

        With what it inherits.

        Raises:
            UserError: If it is no config.
        """
        return read_config(str(self.config))

    def last_checkpoint(self, unit: str) -> Path:
        """The checkpoint that the run ends with, by the config as it is now.

        Args:
            unit (str): What the run is counted in, ``epoch`` or ``iter``.

        Returns:
            Path: Where it is, or will be.

        Raises:
            UserError: If the run cannot be followed by that config.
        """
        cfg = self.settings
        if Path(cfg.get('work_dir') or '') != self.path:
            raise UserError(
                f"'{self.config}': its work_dir is {cfg.get('work_dir')!r}, "
                f"and this command is of '{self.path}'. Set it back; for "
                'another folder, give the command --work-dir DIR'
            )
        length = (cfg.get('train_cfg') or {}).get(f'max_{unit}s')
        if not isinstance(length, int):
            raise UserError(
                f"'{self.config}': its train_cfg has no max_{unit}s, which "
                'tells this command what is the last checkpoint. Set it; or '
                f'train by {tool_command("train.py", self.config)} --resume'
            )
        return self.path / f'{unit}_{length}.pth'

    def train(self) -> None:
        """Train by the config; go on from the last checkpoint, if any.

        In this process; for several GPUs in one for each, by
        ``tools/dist_train.sh``, which starts them with ``torchrun``.

        Raises:
            SystemExit: With the status of processes that a signal ended, when
                they had saved a checkpoint.
            UserError: If the config cannot work, or a process failed.
        """
        processes = self.settings.get('num_processes', 1)
        if processes == 1:
            train(str(self.config), resume='auto', loggers=self.loggers)
            return
        command = self._distributed(processes)
        forget_files()  # which those processes read themselves
        status = run_command(command)
        if status in ENDED_BY_SIGNAL:
            raise SystemExit(status)
        if status:
            raise UserError(
                f'{shlex.join(command)} ended with status {status}, for the '
                'reason above; the same command goes on from the last '
                'checkpoint'
            )

    def training_command(self) -> str:
        """What trains by the config, when this command does not.

        It goes on from the last checkpoint, if any, as :meth:`train` does.

        Returns:
            str: For the shell.
        """
        processes = self.settings.get('num_processes', 1)
        if processes == 1:
            loggers = self.loggers or None
            return tool_command(
                'train.py', self.config, resume=True, loggers=loggers
            )
        return shlex.join(self._distributed(processes))

    def _distributed(self, processes: int) -> list[str]:
        command = [str(tools_folder() / 'dist_train.sh'), str(self.config)]
        command += [str(processes), '--resume']
        return command + ['--loggers', *self.loggers] * bool(self.loggers)


def value_settings(values: dict) -> list[Setting]:
    """Settings of images of more than 8 bits, or of other bands.

    Args:
        values (dict): ``value_range`` and ``bands``, or None for each.

    Returns:
        list[Setting]: One for each that is set.
    """
    return [
        Setting(name, tuple(value), 'See docs/input.md.')
        for name, value in values.items()
        if value is not None
    ]
