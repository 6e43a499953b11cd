"""Learning rates of the recipes, for one process and for eight GPUs."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from mmselfemd.comparison.candidates import RECIPES, is_of_a_recipe
from mmselfemd.comparison.planner import Planner

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
