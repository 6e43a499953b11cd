"""A checkpoint of another architecture is an error, not a warning."""

import pytest
import torch
from torch import nn

from mmselfemd.engine.resume import check_fits


def network(width=4, depth=1):
    layers = [nn.Conv2d(3, width, 1), nn.BatchNorm2d(width)]
    return nn.Sequential(*layers * depth)


def test_its_own_checkpoint_fits():
    model = network()
    state = model.state_dict()
    check_fits(model, dict(state_dict=state), 'a.pth')
    check_fits(model, state | {'head.weight': torch.zeros(1)}, 'a.pth')
    check_fits(model, {f'module.{k}': v for k, v in state.items()}, 'a.pth')
    check_fits(
        model,
        {k: v for k, v in state.items() if 'num_batches' not in k},
        'a.pth',
    )


def test_another_width_or_depth_is_named():
    state = network().state_dict()
    with pytest.raises(
        ValueError,
        match=r'a\.pth is of another architecture.*0\.weight: '
        r'\(4, 3, 1, 1\) in the file, \(8, 3, 1, 1\) in the model',
    ):
        check_fits(network(width=8), state, 'a.pth')
    deeper = nn.Sequential(*network(), nn.Conv2d(4, 4, 1))
    with pytest.raises(ValueError, match=r'2 of 8 tensors.*2\.weight: miss'):
        check_fits(deeper, state, 'a.pth')
