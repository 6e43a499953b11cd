"""The network before training, and checkpoints chosen by a validation."""

from pathlib import Path

import pytest

from mmselfemd.engine import launch
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
        'default_hooks.checkpoint.save_best': 'matching/gain',
        'default_hooks.checkpoint.rule': 'greater',
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
    best = steps[gains.index(max(gains))]
    found = [path.name for path in tmp_path.glob('best*')]
    assert found == [f'best_matching_gain_epoch_{best}.pth']
