"""The images that do not decode: named, counted, and not too many."""

import logging
import os

from mmengine.logging import MMLogger, print_log

from mmselfemd.errors import UserError, UserValueError

LIST_NAME = 'broken_images.txt'

_MIN_SEEN = 100  # before it, a share says nothing
_NUM_NAMED = 5


class _WorkerError(UserError):
    """An error of a data loader's worker.

    The loader hands it on as text, with the traceback in front; what the user
    can do something with is kept.
    """

    def __init__(self, message: str) -> None:
        name = f'{type(self).__module__}.{type(self).__qualname__}: '
        super().__init__(message.rpartition(name)[2].strip())


class TooManyBrokenImagesError(_WorkerError):
    """More than a set share of the images is broken."""


class UnreadableImageError(_WorkerError):
    """An image that a detector needs cannot be read."""


class BrokenImages:
    """Counts what one process reads, and what of it is broken.

    The first broken images go to the log. All of them go to the file
    ``broken_images.txt`` beside the log file, if there is one: a line each,
    of path, tab, and reason. The workers and processes of a run write into
    the same file, so that an image may be there more than once.

    Args:
        max_warnings (int): Broken images named in the log.
        max_share (float): The run stops when more than this share, in [0, 1],
            of at least 100 images that this process has read is broken.

    Attributes:
        num_read (int): Images read, broken ones included.
        num_broken (int): Broken ones among them.

    Raises:
        UserValueError: If ``max_share`` is not in [0, 1].
    """

    def __init__(self, max_warnings: int, max_share: float) -> None:
        if not 0 <= max_share <= 1:
            raise UserValueError(
                f'LoadImage: max_broken_share={max_share} is not in [0, 1]'
            )
        self.max_warnings = max_warnings
        self.max_share = max_share
        self.num_read = 0
        self.num_broken = 0
        self._lines: dict[str, str] = {}

    def add(self, path: str, reason: str) -> None:
        """Take note of a broken image.

        Args:
            path (str): Its path.
            reason (str): Why it is none.

        Raises:
            TooManyBrokenImagesError: If there are too many.
        """
        self.num_broken += 1
        if self.num_broken <= self.max_warnings:
            self._warn(path, reason)
        if path not in self._lines:
            self._lines[path] = ' '.join(reason.split())
            self._write(path)
        if (
            self.num_read >= _MIN_SEEN
            and self.num_broken > self.max_share * self.num_read
        ):
            raise TooManyBrokenImagesError(self._summary())

    def _warn(self, path: str, reason: str) -> None:
        last = (
            '; further ones are skipped in silence'
            if self.num_broken == self.max_warnings
            else ''
        )
        print_log(
            f'Skipped the image {path}: {reason}. Another one takes its place'
            f'{last}.',
            logger='current',
            level=logging.WARNING,
        )

    def _write(self, path: str) -> None:
        if not (list_file := _list_file()):
            return
        line = f'{path}\t{self._lines[path]}\n'
        try:
            # The folder may be that of an earlier run, removed since.
            os.makedirs(os.path.dirname(list_file), exist_ok=True)
            # In one write, which others' lines do not cut through.
            with open(list_file, 'ab') as file:
                file.write(line.encode(errors='surrogateescape'))
        except OSError as error:  # a full disk: the run goes on without it
            print_log(
                f'{list_file} lacks {path}: {error}',
                logger='current',
                level=logging.WARNING,
            )

    def _summary(self) -> str:
        some = list(self._lines.items())[:_NUM_NAMED]
        list_file = _list_file()
        return (
            f'{self.num_broken} of the {self.num_read} images that this '
            'process has read are broken, more than max_broken_share='
            f'{self.max_share:g} allows. '
            + '; '.join(f'{path}: {reason}' for path, reason in some)
            + ('; and others' if len(self._lines) > len(some) else '')
            + (
                f'. All that were found are in {list_file}'
                if list_file
                else ''
            )
            + '. Mend them or take them away, or allow more, e.g. '
            '--cfg-options '
            'train_dataloader.dataset.pipeline.0.max_broken_share=1'
        )


def _list_file() -> str | None:
    """Beside the log file of the run, if it has one."""
    log_file = MMLogger.get_current_instance().log_file
    if log_file is None:
        return None
    return os.path.join(os.path.dirname(log_file), LIST_NAME)
