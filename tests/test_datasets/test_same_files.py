"""Processes that do not see the same files stop, all of them."""

import os
import socket
import textwrap
from contextlib import ExitStack
from pathlib import Path

import pytest
from forked_scripts import Script

ROOT = Path(__file__).resolve().parents[2]

TWO_PROCESSES = textwrap.dedent("""
    import os
    import sys
    import time
    from pathlib import Path

    sys.path.insert(0, sys.argv[2])
    import torch
    from mmengine.config import Config
    from mmengine.runner import ValLoop

    from mmselfemd.datasets import UnlabelledDataset
    from mmselfemd.datasets.same_files import check_same_files
    from mmselfemd.engine.cpu_distributed import (
        CPUDistributedRunner,
        leave_process_group,
    )
    from mmselfemd.engine.processes import (
        decided_by_first,
        start_process_group,
    )
    from mmselfemd.errors import UserError
    from toy_long_run import Numbers, make_runner

    rank, folder = int(os.environ['RANK']), Path(sys.argv[1])
    start_process_group(Config(dict(launcher='pytorch')))

    def images(*names):
        data = folder / f'node_{rank}' / str(len(list(folder.glob('*/*'))))
        data.mkdir(parents=True)
        for name in names:
            (data / name).touch()
        return UnlabelledDataset(data_root=str(data), pipeline=[])

    def error_of(function, *args):
        try:
            function(*args)
        except UserError as error:
            return str(error)
        return 'none'

    def train(size, validates):
        runner = make_runner(
            folder / 'run',
            epochs=1,
            loop='ReproducibleEpochBasedTrainLoop',
            size=size,
            runner_class=CPUDistributedRunner,
            launcher='pytorch',
        )
        if validates:
            runner._val_loop = object.__new__(ValLoop)
            runner._val_loop.dataloader = runner.build_dataloader(
                dict(dataset=Numbers(12), batch_size=4, num_workers=0,
                     sampler=dict(type='DefaultSampler', shuffle=False)),
                seed=0)
            runner.build_val_loop = lambda loop: loop
        runner.train()

    print('same:', error_of(check_same_files, images('a.jpg', 'b.jpg'), 'x'))
    print('count:', error_of(
        check_same_files, images('a.jpg', *['b.jpg'] * rank), 'x'))
    print('name:', error_of(
        check_same_files, images('a.jpg', f'b{rank}.jpg'), 'x'))
    print('train:', error_of(train, 16 + 8 * rank, False))
    print('val:', error_of(train, 16, rank == 0))
    # Where the first process alone sees an earlier run, and the other none;
    # then where it fails. Each leaves the group.
    def fail(error):
        raise error

    print('first:', error_of(decided_by_first, fail, UserError('an old run')))
    # A group that is less patient than the first process is slow.
    os.environ['MASTER_PORT'] = sys.argv[3]
    start_process_group(Config(dict(
        launcher='pytorch',
        env_cfg=dict(dist_cfg=dict(timeout=8)),
    )))
    print('slow:', decided_by_first(lambda: time.sleep(11) or 'decided'))
    leave_process_group()
    os.environ['MASTER_PORT'] = sys.argv[4]
    start_process_group(Config(dict(launcher='pytorch')))
    start = time.monotonic()
    try:
        decided_by_first(fail, PermissionError(13, 'Permission denied', 'run'))
    except Exception as error:
        print('unexpected:', type(error).__name__, error)
    sys.stdout.flush()
    if rank == 0:
        time.sleep(10)  # the other must not wait for this process to end
    print('waited:', time.monotonic() - start < 8)
""")


@pytest.fixture(scope='module')
def said(tmp_path_factory):
    """What the two processes say of themselves, by the test's name."""
    folder = tmp_path_factory.mktemp('nodes')
    script = folder / 'two.py'
    script.write_text(TWO_PROCESSES)
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(3)]
        for each in sockets:
            each.bind(('127.0.0.1', 0))
        port, *later = (str(each.getsockname()[1]) for each in sockets)
    env = os.environ | dict(
        PYTHONPATH=str(ROOT),
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=port,
        OMP_NUM_THREADS='1',
    )
    processes = [
        Script(
            script,
            folder,
            ROOT / 'tests/test_engine',
            *later,
            env=env | dict(RANK=rank, LOCAL_RANK=rank),
        )
        for rank in '01'
    ]
    lines = []
    for process in processes:
        done = process.finish()
        assert done.returncode == 0, done.stderr
        lines.append(
            dict(
                line.split(': ', 1)
                for line in done.stdout.splitlines()
                if ': ' in line
            )
        )
    return lines


@pytest.mark.parametrize(
    ('case', 'text'),
    [
        ('same', 'none'),
        ('count', 'x: process 0 sees 1 image (digest of the list: '),
        ('count', 'process 1 sees 2 ('),
        ('name', 'x: process 0 sees 2 images (digest of the list: '),
        ('train', 'train_dataloader: process 0 sees 16 images'),
        ('train', 'process 1 sees 24'),
        ('val', 'val_dataloader: process 0 sees 12 images'),
        ('val', 'process 1 sees 0 (none)'),
        ('first', 'an old run'),
    ],
)
def test_all_stop_alike(said, case, text):
    first, second = said
    assert text in first[case]
    assert first[case] == second[case]


def test_where_the_first_process_fails_the_others_do_not_wait(said):
    """A folder that it may not read, say: no error for which we wait."""
    first, second = said
    error = "PermissionError [Errno 13] Permission denied: 'run'"
    assert first['unexpected'] == error
    assert second['unexpected'] == (
        'RuntimeError The first process failed: '
        + error.replace('Error ', 'Error: ')
    )
    assert second['waited'] == 'True'


def test_the_others_wait_for_as_long_as_the_first_looks(said):
    """Longer than a collective of the run may take."""
    assert [each['slow'] for each in said] == ['decided'] * 2
