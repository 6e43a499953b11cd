"""What a finished ``tools/demo.py`` leaves behind, made up in no time."""

import json
from pathlib import Path

import torch
from mmdet.models import ResNet

NAME = 'selfemd_r18-w4_scenes_2e'

PRETRAINING = """\
model = dict(
    type='SelfEMD', backbone=dict(type='mmpretrain.ResNet', depth=18))
data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_dataloader = dict(
    batch_size=32, dataset=dict(data_root='data', data_prefix='train2017/'))
val_dataloader = dict(dataset=dict(indices=10))
train_cfg = dict(max_epochs=2)
optim_wrapper = dict(optimizer=dict(lr=0.05))
"""
DETECTOR = """\
model = dict(type='FasterRCNN')
train_cfg = dict(max_iters=7)
"""


def make_demo(work_dir: Path, seed: int = 0, accuracy: float = 0.5) -> Path:
    """Write a work directory; its backbone depends on the seed."""
    for part in ('pretrain', 'detector', 'detector_random'):
        (work_dir / part).mkdir(parents=True)
    folder = work_dir / 'pretrain'
    (folder / f'{NAME}.py').write_text(PRETRAINING)
    for part in ('detector', 'detector_random'):
        (work_dir / part / 'detector.py').write_text(DETECTOR)
    save_checkpoint(folder / 'epoch_2.pth', seed)
    # Where it was when it ran.
    (folder / 'last_checkpoint').write_text('/elsewhere/pretrain/epoch_2.pth')
    write_log(folder / '20260101_000000', steps=range(1, 4))
    write_log(folder / '20260102_000000', steps=range(4, 7))
    (work_dir / 'summary.json').write_text(
        json.dumps(summary_of(seed, accuracy))
    )
    return work_dir


def save_checkpoint(path: Path, seed: int, epoch: int = 2) -> None:
    torch.manual_seed(seed)
    weights = ResNet(depth=18, base_channels=4, norm_eval=False).state_dict()
    state = {f'backbone.{name}': value for name, value in weights.items()}
    state['neck.0.weight'] = torch.ones(1)
    meta = dict(
        cfg=PRETRAINING,
        experiment_name=f'{NAME}_20260101_000000',
        epoch=epoch,
        iter=6,
        seed=seed,
    )
    torch.save(dict(state_dict=state, meta=meta), path)


def write_log(folder: Path, steps: range) -> None:
    (folder / 'vis_data').mkdir(parents=True)
    lines = [
        json.dumps(dict(loss=8 / step, loss_emd=4 / step, step=step))
        for step in steps
    ]
    text = ''.join(f'{line}\n' for line in lines)
    (folder / 'vis_data' / 'scalars.json').write_text(text)


def summary_of(seed: int, accuracy: float) -> dict:
    controls = dict(same_position=0.26, other_image=0.125, chance=0.07)
    return dict(
        settings=dict(
            pretraining=f'/elsewhere/{NAME}.py', num_scenes=64, seed=seed
        ),
        pretrain=dict(
            iterations=6,
            matching_accuracy=accuracy,
            matching_gain=accuracy - 0.125,
            matching_accuracy_untrained=0.19,
            matching_gain_untrained=0.06,
            **{f'matching_{name}': value for name, value in controls.items()},
        ),
        flow=dict(
            own_flow=0.24,
            flow_matches=False,
            **{f'own_flow_{name}': value for name, value in controls.items()},
        ),
        detector=dict(bbox_mAP=0.25, bbox_mAP_50=0.5 + accuracy / 10),
        detector_from_random_weights=dict(bbox_mAP=0.125, bbox_mAP_50=0.5),
        did_it_help=f'The sentence of seed {seed}.',
    )


def make_index(root: Path, weights: str = '') -> Path:
    """Write a root with an index of two models, the second ours."""
    (root / 'configs').mkdir(parents=True)
    (root / 'model-index.yml').write_text('Import: [configs/metafile.yml]\n')
    metafile = root / 'configs' / 'metafile.yml'
    metafile.write_text(
        '# A word before.\nModels:\n'
        '  - Name: before\n    Config: configs/before.py\n'
        f'  - Name: {NAME}  # ours\n    Config: configs/{NAME}.py\n'
        f'    Metadata:\n      Epochs: 2\n{weights}'
        '\n  # A word after.\n'
        '  - Name: after\n    Config: configs/after.py\n'
    )
    return metafile
