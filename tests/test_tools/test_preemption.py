"""A scheduler's signal to real processes: tools/train.py and dist_train.sh."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
import toy_project  # noqa: E402

WAITING = """
import time
from pathlib import Path

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmselfemd.engine import PreemptionHook


@HOOKS.register_module(force=True)
class WaitHook(Hook):
    '''Says that iteration 5 runs, and stays in it until the signal is here.'''

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter != 5:
            return
        (preemption,) = [
            hook for hook in runner.hooks if isinstance(hook, PreemptionHook)
        ]
        Path(runner.work_dir, f'waits_{get_rank()}').touch()
        end = time.time() + 60
        while not preemption._received and time.time() < end:
            time.sleep(0.05)
"""

CONFIG = (
    toy_project.CONFIG
    + """
custom_imports['imports'] += ['mmselfemd', 'waiting']
train_cfg['max_epochs'] = 3
train_dataloader.update(batch_size=2, num_workers=1)
default_hooks.update(
    preemption=dict(type='PreemptionHook', interval=1),
    wait=dict(type='WaitHook'))
val_dataloader = val_cfg = val_evaluator = None
"""
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'toy.py').write_text(CONFIG)
    (tmp_path / 'waiting.py').write_text(WAITING)
    return tmp_path


def start(folder, *command, **env):
    paths = os.pathsep.join(map(str, (HERE, folder, ROOT)))
    env = dict(
        PYTHON=sys.executable, PYTHONPATH=paths, OMP_NUM_THREADS='1', **env
    )
    return subprocess.Popen(
        [str(word) for word in command],
        cwd=folder,
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # a group that can be signalled as a whole
    )


def wait_for(paths, process):
    end = time.time() + 120
    while not all(path.exists() for path in paths):
        if process.poll() is not None or time.time() > end:
            raise AssertionError(process.communicate()[0])
        time.sleep(0.05)


def test_signal_to_the_group_of_one_process(folder):
    """Its data loader's worker gets the signal too, as from `timeout`."""
    command = [sys.executable, ROOT / 'tools' / 'train.py', 'toy.py']
    work_dir = folder / 'work_dirs' / 'toy'
    process = start(folder, *command)
    wait_for([work_dir / 'waits_0'], process)
    os.killpg(process.pid, signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 143, output
    assert 'SIGTERM: checkpoint saved' in output
    assert torch.load(work_dir / 'iter_6.pth')['meta']['iter'] == 6

    process = start(folder, *command, '--resume')
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
    assert 'iter_6.pth' in output
    assert not (work_dir / 'iter_6.pth').exists()
    assert (work_dir / 'epoch_3.pth').exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason='this host has a GPU')
def test_signal_to_the_script_of_two_processes(folder):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    script = ROOT / 'tools' / 'dist_train.sh'
    process = start(folder, script, 'toy.py', '2', PORT=port)
    work_dir = folder / 'work_dirs' / 'toy'
    wait_for([work_dir / f'waits_{rank}' for rank in (0, 1)], process)
    os.kill(process.pid, signal.SIGUSR1)  # the shell alone
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 138, output
    assert 'SIGUSR1: checkpoint saved' in output
    meta = torch.load(work_dir / 'iter_6.pth')['meta']
    assert (meta['epoch'], meta['iter']) == (1, 6)
