"""The configs whose colours change on the device, through a real loader."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner

import mmselfemd  # noqa: F401

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def config(name, folder, batch_size=4, num_workers=0, seed=None):
    cfg = Config.fromfile(CONFIGS / '_base_' / 'datasets' / f'{name}.py')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(
            batch_size=batch_size,
            num_workers=num_workers,
            persistent_workers=False,
            pin_memory=False,
            sampler=dict(type='DefaultSampler', shuffle=False),
        )
        loader.dataset.update(
            data_root=str(folder), data_prefix='', seed=seed, indices=8
        )
    return cfg


def first_batch(loader):
    return next(iter(Runner.build_dataloader(deepcopy(loader))))


@pytest.mark.parametrize(
    ('name', 'sizes'),
    [
        ('coco_views', [224, 224, 112]),
        ('coco_two_views', [224, 224]),
    ],
)
def test_batches_of_uint8_views_with_what_was_drawn(
    name, sizes, image_folder, our_scope
):
    cfg = config(name, image_folder)
    for loader, expected in (
        (cfg.train_dataloader, sizes),
        (cfg.val_dataloader, [224, 224]),
    ):
        batch = first_batch(loader)
        assert [tuple(view.shape) for view in batch['inputs']] == [
            (4, 3, size, size) for size in expected
        ]
        for number, view in enumerate(batch['inputs']):
            assert view.dtype == torch.uint8 and view.is_contiguous()
            for sample in batch['data_samples']:
                drawn = sample.views[number]['photometric']
                assert ('blur' in drawn) or number > 0
    views = MODELS.build(cfg.data_preprocessor)(batch, True)['inputs']
    assert all(view.dtype == torch.float32 for view in views)
    assert all(view.abs().max() < 3 for view in views)


def test_a_view_is_the_same_whatever_the_workers(image_folder, our_scope):
    def batch(num_workers, batch_size):
        cfg = config('coco_views', image_folder, batch_size, num_workers, 7)
        preprocessor = MODELS.build(cfg.data_preprocessor)
        loader = Runner.build_dataloader(cfg.train_dataloader)
        batches = [preprocessor(each, True)['inputs'] for each in loader]
        return [torch.cat(views) for views in zip(*batches, strict=True)]

    for first, second in zip(batch(0, 8), batch(2, 2), strict=True):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=0)


def test_a_step_of_training(image_folder, our_scope):
    cfg = config('coco_views', image_folder)
    small = Config.fromfile(CONFIGS / 'small/selfemd_r18_voc256_20e.py')
    small.model.data_preprocessor = cfg.data_preprocessor
    model = MODELS.build(small.model)
    model.init_weights()
    model.has_momentum_hook = True
    model.eval()  # SyncBN
    batch = first_batch(cfg.train_dataloader)
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), 0.01))
    losses = model.train_step(batch, optimizer)
    assert all(value.isfinite() for value in losses.values())
    # Validation gives maps of the same batch.
    samples = model.val_step(first_batch(cfg.val_dataloader))
    assert len(samples[0].feature_maps) == 2
