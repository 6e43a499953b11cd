"""Whether a state is worth saving, and that all processes agree on it."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from torch import nn
from two_processes import two_processes

from mmselfemd.engine.finite_state import (
    NonFiniteCheckpointError,
    check_finite_state,
)


@pytest.mark.parametrize(
    'dtype', [torch.int64, torch.bool, torch.float16, torch.bfloat16]
)
def test_every_type_of_number(dtype):
    model = nn.Linear(1, 1)
    model.register_buffer('numbers', torch.ones(3).to(dtype))
    model.register_buffer('nothing', torch.ones(0).to(dtype))
    runner = SimpleNamespace(
        model=model,
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), 0.1)),
        message_hub=MessageHub('one process'),
    )
    check_finite_state(runner, None)
    if dtype.is_floating_point:
        model.numbers.fill_(torch.finfo(dtype).max)
        check_finite_state(runner, None)
        model.numbers.mul_(2)
        with pytest.raises(NonFiniteCheckpointError, match=r'model\.numbers'):
            check_finite_state(runner, None)


def test_all_processes_stop_if_one_has_to(tmp_path):
    def check(rank):
        hub = MessageHub('two processes')
        hub.update_info('iter', 4)
        model = nn.BatchNorm1d(2)
        optimiser = torch.optim.SGD(model.parameters(), 0.1)
        runner = SimpleNamespace(
            model=model,
            optim_wrapper=OptimWrapper(optimiser),
            message_hub=hub,
        )
        check_finite_state(runner, 'iter_2.pth')
        if rank == 1:  # without SyncBN statistics are each process's own
            model.running_var.fill_(float('nan'))
        with pytest.raises(NonFiniteCheckpointError) as raised:
            check_finite_state(runner, 'iter_2.pth')
        return str(raised.value)

    first, second = two_processes(check, tmp_path)
    assert first == second
    assert 'Iteration 5: NaN or infinity in 1 of the tensors' in first
    assert 'such as model.running_var. Nothing was saved' in first
    assert 'The last checkpoint is iter_2.pth' in first
