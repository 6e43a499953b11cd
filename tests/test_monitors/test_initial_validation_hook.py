"""The network before training, and checkpoints chosen by a validation."""

from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import EarlyStoppingHook, EMAHook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from mmselfemd.engine import launch
from mmselfemd.monitors import InitialValidationHook
from mmselfemd.visualization import read_curves

CONFIG = Path(__file__).resolve().parents[2] / (
    'configs/small/selfemd_r18_voc256_20e.py'
)


def options(image_folder):
    chosen = {
        f'{loader}.{name}': value
        for loader in ('train_dataloader', 'val_dataloader')
        for name, value in {
            'dataset.data_root': str(image_folder),
            'dataset.data_prefix': '',
            'dataset.ann_file': '',
            'num_workers': 0,
            'batch_size': 4,
        }.items()
    }
    return chosen | {
        'train_dataloader.persistent_workers': False,
        'train_cfg.max_epochs': 3,
        'train_cfg.val_interval': 1,
    }


def test_the_gain_is_kept_and_chooses_the_best_checkpoint(
    image_folder, tmp_path
):
    launch.train(str(CONFIG), str(tmp_path), cfg_options=options(image_folder))
    curves = read_curves(tmp_path)
    steps, gains = curves['matching/gain']
    assert steps == [0, 1, 2, 3]
    # Pictures are by iterations, of which an epoch has two.
    pictures = {path.name for path in tmp_path.rglob('vis_image/*')}
    assert pictures == {f'matching_{2 * step}.png' for step in steps}
    for name in ('accuracy', 'gain'):
        first = curves[f'matching/{name}'][1][0]
        kept = curves[f'matching/{name}_untrained']
        assert kept == ([1, 2, 3], [first] * 3)
    for gain, accuracy, other_image in zip(
        gains,
        curves['matching/accuracy'][1],
        curves['matching/other_image'][1],
        strict=True,
    ):
        assert gain == pytest.approx(accuracy - other_image)
    best = 1 + gains[1:].index(max(gains[1:]))  # the untrained one is none
    found = [path.name for path in tmp_path.glob('best*')]
    assert found == [f'best_matching_gain_epoch_{best}.pth']


class Weight(BaseModel):
    """One weight, which its initialisation sets to 3."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def init_weights(self) -> None:
        nn.init.constant_(self.weight, 3)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'loss':
            return dict(loss=self.weight)
        return [self.weight.item()] * len(inputs)


class Seen(BaseMetric):
    """The weight that a validation sees."""

    def process(self, data_batch, data_samples) -> None:
        self.results += data_samples

    def compute_metrics(self, results) -> dict:
        return dict(weight=results[0])


def weight_runner(tmp_path, epochs, *hooks, **kwargs):
    """Two steps an epoch, each of which takes 1 off the weight."""
    data = [dict(inputs=torch.zeros(1))] * 2
    loader = dict(
        dataset=data, sampler=dict(type='DefaultSampler'), batch_size=1
    )
    return Runner(
        model=Weight(),
        work_dir=str(tmp_path),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        val_dataloader=loader,
        val_cfg=dict(),
        val_evaluator=[Seen()],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1.0)),
        custom_hooks=[*hooks, InitialValidationHook(keep=['weight'])],
        default_scope='mmselfemd',
        experiment_name=tmp_path.name,
        **kwargs,
    )


def test_averaged_weights_begin_as_the_network_does(tmp_path):
    """EMAHook copies the network before its weights are initialised."""
    runner = weight_runner(tmp_path, 1, EMAHook(momentum=0.5))
    runner.train()
    found = runner.message_hub.get_scalar('val/weight_untrained').data[0]
    assert found.tolist() == [3]
    # The weight is 2 after a step and 1 after two; the first is copied.
    last = runner.message_hub.get_scalar('val/weight').data[0][-1]
    assert last == 1.5


def test_the_untrained_network_is_no_best_one(tmp_path):
    """Though its 3 is above the 1 and the -1 that follow."""
    by = dict(monitor='weight', rule='greater', patience=1)
    plateau = dict(type='ReduceOnPlateauLR', by_epoch=True, **by)
    runner = weight_runner(
        tmp_path,
        2,
        EarlyStoppingHook(**by),
        param_scheduler=plateau,
        default_hooks=dict(
            checkpoint=dict(
                type='SafeCheckpointHook', save_best='weight', rule='greater'
            )
        ),
    )
    runner.train()
    assert runner.epoch == 2
    assert [path.name for path in tmp_path.glob('best*')] == [
        'best_weight_epoch_1.pth'
    ]
    assert runner.optim_wrapper.get_lr()['lr'] == [1.0]
