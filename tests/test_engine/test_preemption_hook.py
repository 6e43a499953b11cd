"""SIGTERM and SIGUSR1: the step ends, a checkpoint is there, it goes on."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.logging import MessageHub

from mmselfemd.engine import PreemptionHook

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
from toy_long_run import (  # noqa: E402
    Numbers,
    Pair,
    Recorder,
    SignalMyself,
    make_runner,
)


@pytest.fixture(autouse=True)
def handlers_stay():
    """Whatever a test does, this process listens as before."""
    former = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def runner(work_dir, *hooks, default_hooks=None, **kwargs):
    return make_runner(
        work_dir,
        hooks=hooks,
        default_hooks=dict(preemption=dict(type='PreemptionHook'))
        | (default_hooks or {}),
        **kwargs,
    )


def stopped(work_dir, iteration, number=signal.SIGTERM, **kwargs):
    """Train until a signal ends the run; its status."""
    signaller = SignalMyself(iteration, number)
    with pytest.raises(SystemExit) as info:
        runner(work_dir, signaller, **kwargs).train()
    return info.value.code


def names(folder):
    return {path.name for path in folder.glob('*.pth')}


@pytest.mark.parametrize(
    ('number', 'status'), [(signal.SIGTERM, 143), (signal.SIGUSR1, 138)]
)
def test_resumed_run_is_the_uninterrupted_one(tmp_path, number, status):
    straight, resumed = Recorder(), Recorder()
    runner(tmp_path / 'straight', straight, iterations=8).train()
    work_dir = tmp_path / 'stopped'
    options = dict(iterations=8, checkpoint=dict(interval=100))
    assert stopped(work_dir, 4, number, **options) == status
    assert names(work_dir) == {'iter_5.pth'}  # iteration 4, from 0, ended
    runner(work_dir, resumed, resume=True, **options).train()
    assert resumed.losses == straight.losses[5:]
    for name, value in straight.states[-1].items():
        assert torch.equal(value, resumed.states[-1][name]), name


def test_stops_on_a_step_of_the_optimiser(tmp_path):
    wrapper = dict(accumulative_counts=3)
    options = dict(iterations=12, checkpoint=dict(interval=100))
    assert stopped(tmp_path, 3, wrapper=wrapper, **options) == 143
    assert names(tmp_path) == {'iter_6.pth'}


def test_last_step_ends_the_run_as_usual(tmp_path):
    recorder = Recorder()
    runner(tmp_path, recorder, SignalMyself(5), iterations=6).train()
    assert len(recorder.losses) == 6


def test_handlers_are_put_back(tmp_path):
    former = signal.getsignal(signal.SIGTERM)
    runner(tmp_path, iterations=1).train()
    assert signal.getsignal(signal.SIGTERM) is former


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize('epochs', [None, 1])
def test_handlers_are_put_back_where_training_fails(tmp_path, epochs, error):
    """A notebook goes on after that, and has to end when it is asked to."""

    class Fails(Hook):
        def after_train_iter(self, *args, **kwargs):
            raise error

    former = signal.getsignal(signal.SIGTERM)
    loop = 'ReproducibleEpochBasedTrainLoop'
    failed = runner(tmp_path, Fails(), epochs=epochs, loop=loop)
    with pytest.raises(error):
        failed.train()
    assert signal.getsignal(signal.SIGTERM) is former


class Forks(Hook):
    """Forks a process and ends it, as a metric's pool does (VOCMetric's)."""

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        process = multiprocessing.get_context('fork').Process(
            target=time.sleep, args=(60,), daemon=True
        )
        process.start()
        time.sleep(0.5)
        process.terminate()
        process.join(20)
        self.exitcode = process.exitcode
        process.kill()


def test_processes_forked_during_training_end_by_the_signal(tmp_path):
    class Fails(Hook):
        def after_train_iter(self, *args, **kwargs):
            raise RuntimeError

    # One that failed before listens still.
    failed = runner(tmp_path, Fails(), iterations=1)
    with pytest.raises(RuntimeError):
        failed.train()
    forks = Forks()
    runner(tmp_path, forks, iterations=1).train()
    assert forks.exitcode == -signal.SIGTERM


def test_at_the_end_of_an_epoch(tmp_path):
    """The epoch is whole: a checkpoint like any other."""
    options = dict(epochs=3, size=16, checkpoint=dict(interval=5))
    assert stopped(tmp_path, 3, **options) == 143
    assert names(tmp_path) == {'epoch_1.pth'}
    meta = torch.load(tmp_path / 'epoch_1.pth')['meta']
    assert (meta['epoch'], meta['iter']) == (1, 4)


class Worse(BaseMetric):
    """Each validation finds less than the one before."""

    default_prefix = 'toy'

    def process(self, *args):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(score=-MessageHub.get_current_instance().get_info('iter'))


class Validations(Hook):
    """Writes down after how many iterations they were."""

    def __init__(self):
        self.seen = []

    def after_val_epoch(self, runner, metrics=None):
        self.seen.append(runner.iter)


class Validated(Pair):
    """A network that can be validated."""

    def val_step(self, data):
        return data['data_samples']


@pytest.mark.parametrize('epochs', [3, None])
@pytest.mark.parametrize('loop', ['', 'Reproducible'])
def test_a_validation_that_would_have_followed_comes_first(
    tmp_path, epochs, loop
):
    """So the best checkpoint is that of a run without a signal."""
    validations = Validations()
    options = dict(
        epochs=epochs,
        iterations=12,
        loop=f'{loop}EpochBasedTrainLoop',
        size=16,
        checkpoint=dict(save_best='toy/score', rule='greater', interval=100),
        train_cfg=dict(val_interval=1 if epochs else 4),
        val_dataloader=dict(
            dataset=Numbers(4),
            batch_size=4,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        val_cfg=dict(),
        val_evaluator=[Worse()],
    )
    work_dir = tmp_path / 'stopped'
    assert stopped(work_dir, 3, model=Validated(), **options) == 143
    assert not list(work_dir.glob('best*'))
    options.update(model=Validated(), resume=True)
    runner(work_dir, validations, **options).train()
    assert validations.seen == [4, 8, 12]
    name = 'epoch_1' if epochs else 'iter_4'
    assert f'best_toy_score_{name}.pth' in names(work_dir)


def test_inside_an_epoch(tmp_path):
    """A file of its own, which goes when a later one is there."""
    options = dict(epochs=2, size=16, checkpoint=dict(interval=1))
    assert stopped(tmp_path, 5, **options) == 143
    assert names(tmp_path) == {'epoch_1.pth', 'iter_6.pth'}
    pointer = (tmp_path / 'last_checkpoint').read_text()
    assert pointer == str(tmp_path / 'iter_6.pth')
    meta = torch.load(tmp_path / 'iter_6.pth')['meta']
    assert (meta['epoch'], meta['iter']) == (1, 6)
    runner(tmp_path, resume=True, **options).train()
    assert names(tmp_path) == {'epoch_1.pth', 'epoch_2.pth'}


def test_a_checkpoint_names_no_other_file_to_be_removed(tmp_path):
    """It may come from anywhere."""
    options = dict(epochs=2, size=16, checkpoint=dict(interval=1))
    assert stopped(tmp_path / 'a', 5, **options) == 143
    path = tmp_path / 'a/iter_6.pth'
    for number, name in enumerate(['../mine', str(tmp_path / 'mine'), 7]):
        (tmp_path / 'mine').touch()
        checkpoint = torch.load(path)
        checkpoint['message_hub']['runtime_info']['preemption_ckpt'] = name
        torch.save(checkpoint, path)
        work_dir = tmp_path / str(number)
        runner(work_dir, resume=True, load_from=str(path), **options).train()
        assert (work_dir / 'epoch_2.pth').is_file()
        assert (tmp_path / 'mine').is_file()


def test_inside_an_epoch_with_mmengines_own_checkpoints(tmp_path):
    checkpoint = dict(type='mmengine.CheckpointHook', interval=1)
    options = dict(epochs=2, size=16, checkpoint=checkpoint)
    assert stopped(tmp_path, 5, **options) == 143
    assert names(tmp_path) == {'epoch_1.pth', 'iter_6.pth'}


def test_resumed_inside_an_epoch_it_is_the_uninterrupted_one(tmp_path):
    straight, resumed = Recorder(), Recorder()
    options = dict(
        loop='ReproducibleEpochBasedTrainLoop',
        epochs=3,
        size=16,
        randomness=dict(seed=5),
    )
    runner(tmp_path / 'straight', straight, **options).train()
    work_dir = tmp_path / 'stopped'
    assert stopped(work_dir, 5, **options) == 143
    runner(work_dir, resumed, resume=True, **options).train()
    assert resumed.losses == straight.losses[6:]
    for name, value in straight.states[-1].items():
        assert torch.equal(value, resumed.states[-1][name]), name


def test_without_checkpoints_it_is_refused(tmp_path):
    hooks = dict(checkpoint=None)
    with pytest.raises(ValueError, match=r'default_hooks\.checkpoint'):
        runner(tmp_path, default_hooks=hooks).train()


def test_thread_without_signals_trains_on(tmp_path, logged):
    thread = threading.Thread(target=runner(tmp_path, iterations=2).train)
    thread.start()
    thread.join()
    assert [line for line in logged if 'not in the main thread' in line]
    assert names(tmp_path) == {'iter_2.pth'}


def test_bad_interval():
    with pytest.raises(ValueError, match='interval must be at least 1'):
        PreemptionHook(interval=0)


@pytest.fixture(scope='module')
def pair(tmp_path_factory):
    """Two processes by gloo, of which one has a NaN and one is signalled."""
    folder = tmp_path_factory.mktemp('pair')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    env = os.environ | dict(
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
        OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='',
        PYTHONPATH=str(ROOT),
    )
    processes = [
        subprocess.Popen(
            [sys.executable, str(HERE / 'toy_long_run.py'), str(folder)],
            env=env | dict(RANK=rank, LOCAL_RANK=rank),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in '01'
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    codes = [process.returncode for process in processes]
    assert codes == [143, 143], '\n'.join(outputs)
    states = [torch.load(folder / f'states_{rank}.pth') for rank in (0, 1)]
    return folder, states, outputs


def test_processes_stop_at_the_same_step(pair):
    folder, states, _ = pair
    # Signalled in iteration 4 from 0; they ask after every third step.
    assert [len(of_rank) - 1 for of_rank in states] == [6, 6]
    assert 'iter_6.pth' in names(folder)
    assert torch.load(folder / 'iter_6.pth')['meta']['iter'] == 6


def test_processes_skip_the_same_step(pair):
    _, states, outputs = pair
    for of_rank in states:
        for name, value in of_rank[1].items():
            assert torch.equal(value, of_rank[2][name]), name
    for first, second in zip(*states, strict=True):
        for name, value in first.items():
            assert value.isfinite().all(), name
            # Norms are each process's own: SyncBN needs a GPU.
            if 'running' not in name:
                assert torch.equal(value, second[name]), name
    # Named by the first process, though the second one loaded them.
    assert '9.jpg, 11.jpg, 13.jpg, 15.jpg' in outputs[0]


def wait_for_ever(lock):
    lock.acquire()


def test_a_process_that_is_ended_while_it_is_forked_ends():
    context = multiprocessing.get_context('fork')
    lock = context.Lock()
    former = signal.signal(signal.SIGTERM, PreemptionHook()._receive)
    try:
        with lock:
            for _ in range(40):
                process = context.Process(target=wait_for_ever, args=(lock,))
                process.start()
                process.terminate()
                process.join(10)
                ended = process.exitcode == -signal.SIGTERM
                process.kill()
                assert ended
    finally:
        signal.signal(signal.SIGTERM, former)
