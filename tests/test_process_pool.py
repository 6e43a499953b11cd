"""Processes side by side: each ends, goes on, or says why not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmselfemd import process_pool
from mmselfemd.errors import UserError
from mmselfemd.process_pool import Task, run_tasks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(process_pool, '_POLL', 0.02)


def task(folder, name, script, needs=None):
    """A task that is done when its file is there."""
    done = folder / f'{name}.done'
    command = [sys.executable, '-c', script, str(done)]
    return Task(
        name,
        folder / name / 'log.txt',
        lambda: None if done.exists() else command,
        lambda: needs is None or (folder / f'{needs}.done').exists(),
    )


WRITE = 'import sys, pathlib; pathlib.Path(sys.argv[1]).touch(); print("hi")'


def test_tasks_wait_for_what_they_need_and_are_done_once(tmp_path):
    said = []
    tasks = [
        task(tmp_path, 'second', WRITE, needs='first'),
        task(tmp_path, 'first', WRITE),
    ]
    seconds = run_tasks(tasks, jobs=2, report=said.append)
    assert seconds.keys() == {'first', 'second'}
    assert said.index('training first') < said.index('training second')
    assert (tmp_path / 'first' / 'log.txt').read_text() == 'hi\n'
    assert run_tasks(tasks, report=said.append) == {}


def test_each_sees_the_gpu_that_is_its_own(tmp_path):
    script = (
        'import os, sys, time, pathlib; time.sleep(0.3)\n'
        'print(os.environ["CUDA_VISIBLE_DEVICES"])\n'
        'pathlib.Path(sys.argv[1]).touch()'
    )
    tasks = [task(tmp_path, name, script) for name in 'ab']
    run_tasks(tasks, jobs=2, devices=['4', '7'])
    seen = {each.log.read_text().strip() for each in tasks}
    assert seen == {'4', '7'}


def test_the_cores_of_this_process_are_shared(tmp_path, monkeypatch):
    """A scheduler may have lent it a part of the machine's."""
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    script = (
        'import os, sys, pathlib; print(os.environ["OMP_NUM_THREADS"])\n'
        'pathlib.Path(sys.argv[1]).touch()'
    )
    for number, (cores, threads) in enumerate(((6, '3'), (1, '1'))):
        lent = set(range(cores))
        monkeypatch.setattr(os, 'sched_getaffinity', lambda _, lent=lent: lent)
        each = task(tmp_path, str(number), script)
        run_tasks([each], jobs=2)
        assert each.log.read_text().strip() == threads


def test_a_failure_names_the_log_and_ends_the_others(tmp_path):
    tasks = [
        task(tmp_path, 'long', 'import time; time.sleep(60)'),
        task(tmp_path, 'bad', 'raise SystemExit(3)'),
    ]
    start = time.time()
    with pytest.raises(UserError, match=r'bad ended with status 3.*log\.txt'):
        run_tasks(tasks, jobs=2)
    assert time.time() - start < 20


def test_what_comes_to_nothing_is_not_tried_for_ever(tmp_path):
    with pytest.raises(UserError, match='status 0'):
        run_tasks([task(tmp_path, 'idle', 'pass')])


def test_what_can_never_begin_is_named(tmp_path):
    with pytest.raises(UserError, match='lonely'):
        run_tasks([task(tmp_path, 'lonely', WRITE, needs='nobody')])


SAVE = """
import pathlib, signal, sys, time
def save(*_):
    pathlib.Path(sys.argv[1] + '.saved').touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
pathlib.Path(sys.argv[1] + '.began').touch()
time.sleep(60)
"""


def test_the_deadline_lets_runs_save(tmp_path):
    run_tasks([task(tmp_path, 'a', SAVE)], deadline=time.time() + 3)
    assert (tmp_path / 'a.done.saved').exists()


def wait_for(path, seconds=120):
    until = time.time() + seconds
    while not path.exists():
        assert time.time() < until, path
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != 'linux', reason='of Linux')
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_runs_save_when_the_one_that_started_them_is_ended(tmp_path, number):
    script = (
        'import sys, pathlib\n'
        f'sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]\n'
        'import test_process_pool as t\n'
        f'folder = pathlib.Path({str(tmp_path)!r})\n'
        't.run_tasks([t.task(folder, "a", t.SAVE)])'
    )
    starter = subprocess.Popen([sys.executable, '-c', script], env=os.environ)
    wait_for(tmp_path / 'a.done.began')
    starter.send_signal(number)
    starter.wait()
    wait_for(tmp_path / 'a.done.saved')


def test_no_two_work_on_a_task_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(process_pool, '_GRACE', 0.1)
    long = task(tmp_path, 'a', 'import time; time.sleep(60)')
    log = long.log
    log.parent.mkdir()
    with log.open('a') as file:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserError, match='another process works on a'):
            run_tasks([long])
