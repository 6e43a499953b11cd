"""Learning rates of the recipes, for one process and for eight GPUs."""

import json
from pathlib import Path

import pytest
from mmdet.datasets import CocoDataset
from mmengine.config import Config

from mmselfemd.comparison.candidates import RECIPES, is_of_a_recipe
from mmselfemd.comparison.planner import Planner
from mmselfemd.comparison.run_configs import num_learnt_from

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
R50 = RECIPES['r50']
BATCH = {'train_dataloader.batch_size': 2}  # of eight images there are


def written(settings, work_dir, **changed):
    """What is written for random weights and Self-EMD with a ResNet-50."""
    given = dict(
        detector=CONFIGS / R50.detector,
        pretraining={
            name: CONFIGS / config for name, config in R50.pretraining.items()
        },
        pretrain_options=BATCH,
        detector_options={'train_dataloader.batch_size': 1},
        fractions=(1.0,),
        seeds=1,
    )
    Planner(settings(**given | changed), work_dir).plan()
    return {
        path.stem: Config.fromfile(path)
        for path in (work_dir / 'configs').glob('*.py')
    }


@pytest.mark.parametrize(
    ('option', 'scaled'),
    [
        ({}, True),
        ({'optim_wrapper.optimizer.lr': 0.0125}, False),
        ({'auto_scale_lr.enable': False}, False),
    ],
)
def test_rates_for_eight_gpus_become_those_for_one_unless_said(
    settings, tmp_path, option, scaled
):
    configs = written(settings, tmp_path, pretrain_options=BATCH | option)
    assert configs['selfemd'].auto_scale_lr == dict(
        enable=scaled, base_batch_size=256
    )
    assert configs['detector_labels1'].auto_scale_lr == dict(
        enable=True, base_batch_size=16
    )


def test_a_config_of_the_users_is_as_it_stands(settings, tmp_path):
    own = tmp_path / 'own.py'
    own.write_text(f'_base_ = {json.dumps(str(CONFIGS / R50.detector))}\n')
    assert not is_of_a_recipe(own)
    configs = written(settings, tmp_path / 'work', detector=own)
    assert not configs['detector_labels1'].auto_scale_lr.enable
    assert configs['selfemd'].auto_scale_lr.enable


@pytest.mark.parametrize(
    ('rule', 'images'),
    [
        (None, 5),
        (dict(filter_empty_gt=False), 5),
        (dict(filter_empty_gt=True), 3),
        (dict(filter_empty_gt=True, min_size=32), 2),
        (dict(min_size=32), 4),
    ],
)
def test_an_epoch_has_the_images_that_mmdet_has(tmp_path, rule, images):
    sizes = [(64, 48), (64, 31), (32, 32), (90, 90), (90, 90)]
    content = dict(
        images=[
            dict(id=n, file_name=f'{n}.jpg', width=w, height=h)
            for n, (w, h) in enumerate(sizes)
        ],
        annotations=[
            dict(
                id=n + 1,
                image_id=n,
                category_id=1,
                bbox=[1, 1, 20, 20],
                area=400,
                iscrowd=0,
            )
            for n in range(3)
        ],
        categories=[dict(id=1, name='cat')],
    )
    file = tmp_path / 'labels.json'
    file.write_text(json.dumps(content))
    dataset = dict(type='CocoDataset', ann_file=str(file), filter_cfg=rule)
    cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
    assert num_learnt_from(cfg, content) == images
    built = CocoDataset(
        ann_file=str(file),
        filter_cfg=rule,
        data_prefix=dict(img=''),
        metainfo=dict(classes=('cat',)),
        pipeline=[],
    )
    assert len(built) == images
