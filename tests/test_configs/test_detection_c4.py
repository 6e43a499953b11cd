"""C4: one file makes up the backbone and the head that regions share."""

import pytest
import torch
from mmdet.models import ResNet
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmselfemd.engine import launch
from mmselfemd.zoo import extract_backbone

CONFIGS = 'configs/detection'


@HOOKS.register_module()
class KeepStart(Hook):
    """What the detector starts from: after initialisation, before a step."""

    state: dict = {}

    def before_train(self, runner) -> None:
        self.state.clear()
        self.state.update(
            {k: v.clone() for k, v in runner.model.state_dict().items()}
        )


def random_backbone():
    """A ResNet-50 of which no two tensors are alike, buffers included."""
    backbone = ResNet(depth=50, norm_eval=False)
    generator = torch.Generator().manual_seed(1)
    for value in backbone.state_dict().values():
        if value.is_floating_point():
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))
    return backbone.state_dict()


@pytest.mark.parametrize(
    'name',
    [
        'coco/mask-rcnn_r50_c4_syncbn_90k_coco',
        'stock/mask-rcnn_r50-c4_1x_coco',
    ],
)
def test_both_parts_come_from_the_one_file(
    root, coco, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    weights = random_backbone()
    torch.save(
        dict(state_dict={f'backbone.{k}': v for k, v in weights.items()}),
        'pretraining.pth',
    )
    extract_backbone('pretraining.pth', 'backbone.pth')
    is_stock = name.startswith('stock')
    launch.train(
        str(root / CONFIGS / f'{name}.py'),
        work_dir='run',
        cfg_options={
            'pretrained': 'backbone.pth',
            'custom_hooks': [dict(type='KeepStart')],
            'train_dataloader.dataset.data_root': str(coco),
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'train_dataloader.dataset.pipeline.2.'
            + ('scale' if is_stock else 'scales'): (
                (96, 64) if is_stock else [(96, 64)]
            ),
            # Few regions: each goes through the fourth stage.
            'model.train_cfg.rpn_proposal.max_per_img': 4,
            'model.train_cfg.rcnn.sampler.num': 4,
            'val_dataloader': None,
            'val_cfg': None,
            'val_evaluator': None,
            'train_dataloader.dataset.indices': 2,
            'optim_wrapper.optimizer.lr': 1e-6,
        }
        | (
            {'train_cfg.max_epochs': 1}
            if is_stock
            else {'train_cfg.max_iters': 1, 'default_hooks.precise_bn': None}
        ),
    )
    start = {}
    for key, value in KeepStart.state.items():
        place, _, rest = key.partition('.')
        if place == 'backbone':
            start[rest] = value
        elif key.startswith('roi_head.shared_head.layer4'):
            start[key.removeprefix('roi_head.shared_head.')] = value
    assert start.keys() == weights.keys()
    for key, value in weights.items():
        assert torch.equal(start[key], value), key
    new = {
        key: value.unique().tolist()
        for key, value in KeepStart.state.items()
        if key.startswith('roi_head.shared_head.norm.')
    }
    assert new == (
        {}
        if is_stock
        else {
            'roi_head.shared_head.norm.weight': [1],
            'roi_head.shared_head.norm.bias': [0],
            'roi_head.shared_head.norm.running_mean': [0],
            'roi_head.shared_head.norm.running_var': [1],
            'roi_head.shared_head.norm.num_batches_tracked': [0],
        }
    )
