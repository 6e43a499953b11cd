"""Runs a long command and shows how far it is and how long it will take."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from errors import SetupError

# A terminal's line is rewritten each second; a log gets one line in this.
SECONDS_BETWEEN_LOG_LINES = 30

# How far a command is: the fraction of its time, and that in words.
Progress = tuple[float, str]
# Finds the progress in a line of the command's output, if it says any.
Reader = Callable[[str], Progress | None]


def clock(seconds: float) -> str:
    """Write seconds as ``m:ss``."""
    return f'{int(seconds) // 60}:{int(seconds) % 60:02d}'


class ProgressLine:
    """One line on the screen: how far, time taken, time left.

    Args:
        label (str): What is being done.
        expected (float, optional): Seconds that it is expected to take; the
            progress made replaces this as soon as it says more. None: only
            the progress can tell.
    """

    def __init__(self, label: str, expected: float | None) -> None:
        self.label = label
        self.expected = expected
        self.words = ''
        self.start = time.monotonic()
        self.last_shown = self.start
        self.live = sys.stdout.isatty()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    def update(self, fraction: float, words: str) -> None:
        """Take in how far it is.

        Args:
            fraction (float): Share of the time that has passed, in [0, 1].
            words (str): The same for the reader, such as ``'25/77'``.
        """
        self.words = f' {words}'
        if fraction >= 0.05:
            self.expected = self.elapsed() / fraction

    def text(self) -> str:
        """The line as it stands now."""
        so_far = f'{clock(self.elapsed())} so far'
        return f'      {self.label}{self.words}: {so_far}{self.outlook()}'

    def outlook(self) -> str:
        """How long it will take yet."""
        if self.expected is None:
            return ', time left not known yet'
        left = self.expected - self.elapsed()
        if left <= 0:
            return ', taking longer than expected'
        return f', about {clock(left)} left'

    def show(self) -> None:
        """Show the line, if it is time to."""
        now = time.monotonic()
        if self.live:
            print(f'\r{self.text()}\033[K', end='', flush=True)
        elif now - self.last_shown >= SECONDS_BETWEEN_LOG_LINES:
            print(self.text(), flush=True)
            self.last_shown = now

    def close(self) -> None:
        """Clear the line."""
        if self.live:
            print('\r\033[K', end='', flush=True)


def lines_of(process: subprocess.Popen) -> Iterator[str | None]:
    """Yield the lines of a process, and None each second without one."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    while True:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            yield None
            continue
        if line is None:
            return
        yield line


def end(process: subprocess.Popen) -> None:
    """End a process, if it is still there, and all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def run(
    command: Sequence[str | Path],
    label: str,
    expected: float | None,
    log: Path,
    reader: Reader = lambda line: None,
    env: dict[str, str] | None = None,
) -> None:
    """Run a command, its output to a log, its progress to the screen.

    Args:
        command (Sequence[str | Path]): What to run.
        label (str): What it does, for the progress line.
        expected (float, optional): Seconds that it is expected to take;
            None if only the progress can tell.
        log (Path): File that gets the whole output.
        reader (Callable): Finds the progress in a line of output.
        env (dict, optional): Its environment. Defaults to this one's.

    Raises:
        SetupError: If the command fails: its last lines and the log's name.
    """
    shown = ProgressLine(label, expected)
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors='replace',
        env=env,
        start_new_session=True,  # to end all that it starts, too
    )
    try:
        with log.open('w') as file:
            for line in lines_of(process):
                if line is not None:
                    file.write(line)
                    progress = reader(line)
                    if progress:
                        shown.update(*progress)
                shown.show()
        code = process.wait()
    finally:
        end(process)
        shown.close()
    if code != 0:
        tail = log.read_text().splitlines()[-15:]
        raise SetupError(
            '\n'.join(f'      | {line[:300]}' for line in tail)
            + f'\n{label} failed (exit code {code}); all of it is in {log}'
        )
