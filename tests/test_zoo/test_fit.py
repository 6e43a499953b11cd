"""A checkpoint of another architecture is an error, not a warning."""

import pytest
import torch
from mmpretrain.models import VisionTransformer
from torch import nn

from mmselfemd.zoo.fit import check_fits


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
    with pytest.raises(ValueError, match=r'2 tensors.*2\.weight: miss'):
        check_fits(deeper, state, 'a.pth')


def test_a_file_of_another_project_is_named():
    content = dict(epoch=3, model=network().state_dict())
    with pytest.raises(ValueError, match=r'a\.pth .*0\.weight: missing in'):
        check_fits(network(), content, 'a.pth')


def test_a_deeper_backbone_would_be_cut_and_is_refused():
    class Model(nn.Module):
        def __init__(self, depth):
            super().__init__()
            self.backbone = network(depth=depth)
            self.head = nn.Linear(2, 2)

    # nn.Sequential of the same modules twice: names 0 to 3.
    with pytest.raises(ValueError, match=r'backbone\.2.*missing in the model'):
        check_fits(Model(1), Model(2).state_dict(), 'a.pth')


def test_a_start_may_leave_out_heads():
    model = nn.ModuleDict(dict(backbone=network(), head=nn.Linear(2, 2)))
    other = nn.ModuleDict(dict(backbone=network(), head=nn.Linear(2, 9)))
    state = other.state_dict()
    check_fits(model, state, 'a.pth', part='backbone.')
    with pytest.raises(ValueError, match='head.weight'):
        check_fits(model, state, 'a.pth')
    other = nn.ModuleDict(dict(backbone=network(width=8)))
    with pytest.raises(ValueError, match='backbone.0.weight'):
        check_fits(model, other.state_dict(), 'a.pth', part='backbone.')


def test_what_a_model_resizes_fits():
    """The position embedding of a ViT: of 64 pixels, for images of 128."""

    def model(size, classes, width=8):
        arch = dict(
            embed_dims=width,
            num_layers=1,
            num_heads=2,
            feedforward_channels=16,
        )
        backbone = VisionTransformer(arch, img_size=size, patch_size=16)
        head = nn.Linear(width, classes)
        return nn.ModuleDict(dict(backbone=backbone, head=head))

    state = model(64, 2).state_dict()
    check_fits(model(128, 2), state, 'a.pth')
    check_fits(model(128, 3), state, 'a.pth', part='backbone.')
    with pytest.raises(ValueError, match='head.weight'):
        check_fits(model(128, 3), state, 'a.pth')
    with pytest.raises(ValueError, match='backbone.'):
        check_fits(model(128, 2, width=4), state, 'a.pth')
