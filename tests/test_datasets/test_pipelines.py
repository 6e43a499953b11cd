"""Drawn changes of colour that nobody would make are refused."""

from pathlib import Path

import pytest
from mmengine.config import Config

import mmselfemd  # noqa: F401
from mmselfemd.datasets.pipelines import check_colour_changes
from mmselfemd.errors import UserError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
PUBLISHED = sorted(
    path
    for family in ('selfemd', 'byol', 'mocov2', 'simclr', 'small', 'demo')
    for path in (CONFIGS / family).glob('*.py')
)
ON_HOST = dict(type='mmpretrain.SelfSupDataPreprocessor', to_rgb=True)


@pytest.fixture
def cfg():
    return Config.fromfile(CONFIGS / 'selfemd/selfemd_r50_coco_800e.py')


@pytest.mark.parametrize('path', PUBLISHED, ids=lambda path: path.stem)
def test_published_configs_pass(path):
    check_colour_changes(Config.fromfile(path))


def test_a_preprocessor_that_does_not_make_them(cfg):
    cfg.data_preprocessor = ON_HOST
    with pytest.raises(UserError, match='coco_views_on_host'):
        check_colour_changes(cfg)


def test_the_models_own_preprocessor_counts(cfg):
    cfg.model.data_preprocessor = ON_HOST
    with pytest.raises(UserError, match='SelfSupDataPreprocessor'):
        check_colour_changes(cfg)
    cfg.model.data_preprocessor = cfg.data_preprocessor
    cfg.data_preprocessor = ON_HOST
    check_colour_changes(cfg)


@pytest.mark.parametrize('split', ['train', 'val', 'test'])
def test_views_that_are_not_packed(cfg, split):
    pack = cfg[f'{split}_dataloader'].dataset.pipeline[-1]
    pack.meta_keys = ('img_path',)
    with pytest.raises(UserError, match=f'{split}_dataloader.*meta_keys'):
        check_colour_changes(cfg)


def test_colours_on_the_host_need_nothing():
    on_host = Config.fromfile(
        CONFIGS / '_base_/datasets/coco_views_on_host.py'
    )
    check_colour_changes(on_host)
