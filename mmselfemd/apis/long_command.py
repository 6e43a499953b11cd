"""A command that takes days, and hears what its parent hears."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)

#: Status of a run that has saved a checkpoint when it was signalled.
ENDED_BY_SIGNAL = tuple(128 + number for number in _SIGNALS)


def run_command(command: Sequence[str]) -> int:
    """Run a command and wait; SIGTERM and SIGUSR1 are handed on to it.

    Args:
        command (Sequence[str]): Program and arguments. It gets this Python as
            ``PYTHON``, unless the environment names another.

    Returns:
        int: Its status.
    """
    process = None
    received = []

    def hand_on(number: int, frame: FrameType | None = None) -> None:
        received.append(number)
        if process is not None:
            process.send_signal(number)

    former = _listen(hand_on)
    try:
        process = subprocess.Popen(
            command, env={'PYTHON': sys.executable, **os.environ}
        )
        for number in received[:]:  # before there was a process
            process.send_signal(number)
        return process.wait()
    finally:
        if process is not None and process.poll() is None:
            process.kill()
        for number, handler in former.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _listen(handler: Callable[..., None]) -> dict[int, Any]:
    try:
        return {n: signal.signal(n, handler) for n in _SIGNALS}
    except ValueError:  # no main thread: signals are not for this one
        return {}
