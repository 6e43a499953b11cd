"""Several processes side by side, each of which can be gone on with."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from mmselfemd.errors import UserError

#: How often running processes are looked after, in seconds.
_POLL = 0.5
#: How many seconds a process may take to save after it was asked to end.
_GRACE = 120
_PR_SET_PDEATHSIG = 1  # of Linux's prctl


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Task:
    """Something that processes work off, one after another.

    What is done shows on the disk alone, so that whoever comes later goes on.

    Attributes:
        name (str): For people.
        log (Path): Where the processes write; its folder is made.
        next_command (Callable[[], list[str] | None]): The process to start
            next; None when nothing is left to do.
        is_ready (Callable[[], bool]): Whether what it needs is there.
            Defaults to always.
    """

    name: str
    log: Path
    next_command: Callable[[], list[str] | None]
    is_ready: Callable[[], bool] = _always

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.next_command() is None


def run_tasks(
    tasks: Sequence[Task],
    jobs: int = 1,
    devices: Sequence[str] = (),
    deadline: float | None = None,
    report: Callable[[str], None] = print,
    watch: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Work tasks off in their order, several at a time.

    Each process has its share of the cores, and ends with this one: asked by
    the deadline, by Ctrl-C, by SIGTERM, or because this one is gone, it gets
    SIGTERM, upon which ``PreemptionHook`` saves. No two processes work on a
    task at a time, whoever starts them: its log is locked.

    Args:
        tasks (Sequence[Task]): The tasks.
        jobs (int): How many run at a time. Defaults to 1.
        devices (Sequence[str]): GPUs, as CUDA numbers them; each process sees
            one. Defaults to (): all see what this process sees.
        deadline (float, optional): When to end, by ``time.time()``.
            Defaults to None.
        report (Callable): Given a line when a task starts or ends.
        watch (Callable): Called twice a second.

    Returns:
        dict[str, float]: By name of a task the seconds of its processes.

    Raises:
        UserError: If a process fails, with the place of its log; the others
            are asked to end first.
    """
    waiting = [task for task in tasks if not task.is_done]
    pool = _Pool(jobs, devices, report)
    is_over = False
    with _sigterm_ends_this_process():
        try:
            while pool.running or (waiting and not is_over):
                if deadline is not None and time.time() > deadline:
                    is_over = True
                    pool.end()
                while not is_over and pool.has_place:
                    task = next((t for t in waiting if t.is_ready()), None)
                    if task is None:
                        break
                    waiting.remove(task)
                    pool.start(task)
                if waiting and not pool.running and not is_over:
                    names = ', '.join(task.name for task in waiting)
                    raise UserError(f'what these need is not there: {names}')
                time.sleep(_POLL)
                pool.reap(is_over)
                watch()
        finally:
            pool.end()
    return dict(pool.seconds)


class _Running(NamedTuple):
    task: Task
    device: str | None
    process: subprocess.Popen
    start: float


class _Pool:
    """The processes that run, and the places for more."""

    def __init__(
        self,
        jobs: int,
        devices: Sequence[str],
        report: Callable[[str], None],
    ) -> None:
        self.free: list[str | None] = list(devices) or [None] * jobs
        self.free = self.free[:jobs]
        self.running: list[_Running] = []
        self.seconds: dict[str, float] = defaultdict(float)
        self.commands: dict[str, list[str]] = {}
        self.report = report
        self.environment = dict(os.environ)
        # Those of this process: a scheduler may lend a part of the machine.
        threads = max(1, len(os.sched_getaffinity(0)) // jobs)
        self.environment.setdefault('OMP_NUM_THREADS', str(threads))

    @property
    def has_place(self) -> bool:
        return bool(self.free)

    def start(self, task: Task) -> None:
        """Start the next process of a task, on a free device."""
        command = task.next_command()
        if command is None:
            return
        if self.commands.get(task.name) == command:
            raise _failure(task, 0)  # it would come to nothing once more
        if task.name not in self.commands:
            self.report(f'training {task.name}')
        self.commands[task.name] = command
        device = self.free.pop(0)
        environment = dict(self.environment)
        if device is not None:
            environment['CUDA_VISIBLE_DEVICES'] = device
        process = _start(task, command, environment)
        self.running.append(_Running(task, device, process, time.time()))

    def reap(self, is_over: bool) -> None:
        """Look which have ended, and go on with their tasks."""
        for entry in list(self.running):
            task, status = entry.task, entry.process.poll()
            if status is None:
                continue
            self.running.remove(entry)
            self.free.append(entry.device)
            self.seconds[task.name] += time.time() - entry.start
            if task.is_done:
                self.report(f'{task.name}: done')
            elif is_over and status in (0, 128 + signal.SIGTERM, -15):
                self.report(f'{task.name}: stopped')
            elif status:
                raise _failure(task, status)
            else:
                self.start(task)

    def end(self) -> None:
        """Ask all to save and end, and wait for them."""
        for entry in self.running:
            if entry.process.poll() is None:
                entry.process.send_signal(signal.SIGTERM)
        until = time.time() + _GRACE
        for entry in self.running:
            try:
                entry.process.wait(max(0.0, until - time.time()))
            except subprocess.TimeoutExpired:
                entry.process.kill()


def _failure(task: Task, status: int) -> UserError:
    return UserError(
        f'the run {task.name} ended with status {status}; its log is '
        f'{task.log}. The same command goes on from what there is'
    )


def _start(
    task: Task, command: list[str], environment: dict[str, str]
) -> subprocess.Popen:
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open('a') as log:
        _lock(log, task)
        # Its own group: a Ctrl-C reaches this process alone, which then asks
        # the others to save and end.
        return subprocess.Popen(
            command,
            stdout=log,  # and with it the lock, until it ends
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=_end_with_parent(),
        )


def _lock(log: IO, task: Task) -> None:
    """Wait for a process that an earlier start left; it is saving."""
    until = time.time() + _GRACE
    while True:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.time() > until:
                raise UserError(
                    f'another process works on {task.name}: {task.log} is '
                    'locked. Wait for it, or end it'
                ) from None
            time.sleep(_POLL)


def _end_with_parent() -> Callable[[], Any] | None:
    """What a new process does first, so that it gets SIGTERM in the end."""
    if sys.platform != 'linux':
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


@contextmanager
def _sigterm_ends_this_process() -> Iterator[None]:
    """Python would leave at once, without a word to those it started."""

    def leave(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)

    try:
        former = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # only in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
