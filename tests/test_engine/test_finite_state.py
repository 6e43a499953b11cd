"""Whether a state is worth saving, and that all processes agree on it."""

import os
import subprocess
import sys
import textwrap
from collections import OrderedDict

import pytest
import torch

from mmselfemd.engine.finite_state import non_finite_tensors

NAN, INFINITY = float('nan'), float('inf')


def test_names_say_where_it_is():
    good = torch.rand(3)
    state = dict(
        model=OrderedDict(a=good, b=torch.tensor([1.0, NAN])),
        optimizer=dict(
            state={0: dict(step=torch.tensor(INFINITY), buffer=good)},
            param_groups=[dict(lr=NAN), dict(betas=(good, -INFINITY * good))],
        ),
    )
    assert list(non_finite_tensors(state)) == [
        'model.b',
        'optimizer.state.0.step',
        'optimizer.param_groups[1].betas[1]',
    ]


@pytest.mark.parametrize(
    'dtype', [torch.int64, torch.bool, torch.float16, torch.bfloat16]
)
def test_every_type_of_number(dtype):
    assert not list(non_finite_tensors(torch.ones(3).to(dtype)))
    assert not list(non_finite_tensors(torch.ones(0).to(dtype)))
    if dtype.is_floating_point:
        largest = torch.tensor(torch.finfo(dtype).max, dtype=dtype)
        assert not list(non_finite_tensors(largest))
        assert list(non_finite_tensors(2 * largest, 'x')) == ['x']


TWO_PROCESSES = textwrap.dedent("""
    import os
    from types import SimpleNamespace

    import torch
    from mmengine.logging import MessageHub
    from torch import distributed, nn

    from mmselfemd.engine.finite_state import (
        NonFiniteCheckpointError,
        check_finite_state,
    )

    store = os.path.abspath('store')
    child = os.fork()
    rank = int(child == 0)
    distributed.init_process_group(
        'gloo', init_method=f'file://{store}', rank=rank, world_size=2
    )
    hub = MessageHub('two processes')
    hub.update_info('iter', 4)
    runner = SimpleNamespace(model=nn.BatchNorm1d(2), message_hub=hub)
    check_finite_state(runner, 'iter_2.pth')
    if rank == 1:  # without SyncBN statistics are each process's own
        runner.model.running_var.fill_(float('nan'))
    try:
        check_finite_state(runner, 'iter_2.pth')
    except NonFiniteCheckpointError as error:
        with open(f'error_{rank}', 'w') as file:
            file.write(str(error))
    distributed.barrier()
    os._exit(0) if rank else os.waitpid(child, 0)
    """)


def test_all_processes_stop_if_one_has_to(tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', TWO_PROCESSES],
        cwd=tmp_path,
        env=os.environ | dict(OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    first, second = (
        (tmp_path / f'error_{rank}').read_text() for rank in (0, 1)
    )
    assert first == second
    assert 'Iteration 5: NaN or infinity in 1 of the tensors' in first
    assert 'such as model.running_var. Nothing was saved' in first
    assert 'The last checkpoint is iter_2.pth' in first
