"""The paper's pre-training rows: what differs, and nothing else."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmselfemd.registry import DATASETS, MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
ROWS = [
    'r50_coco_800e',
    'r50_coco-plus_800e',
    'r50_in1k_300e',
    'r101_coco_800e',
    'mobilenet-v2_coco_800e',
]


def load(method, row):
    return Config.fromfile(CONFIGS / method / f'{method}_{row}.py')


def without_pipelines(node):
    """A config without the views: they are what may differ in the data."""
    if isinstance(node, dict):
        return {
            name: without_pipelines(value)
            for name, value in node.items()
            if name not in ('pipeline', 'train_pipeline', 'dataset')
            or (name == 'dataset' and 'type' in value)
        }
    if isinstance(node, (list, tuple)):
        return [without_pipelines(value) for value in node]
    return node


@pytest.mark.parametrize('row', ROWS)
def test_byol_differs_in_views_neck_and_head_alone(row):
    ours, byol = load('selfemd', row), load('byol', row)
    assert ours.model.pop('neck') != byol.model.pop('neck')
    assert ours.model.pop('head') != byol.model.pop('head')
    sizes = [
        [view['size'] for view in cfg.train_pipeline[1]['views']]
        for cfg in (ours, byol)
    ]
    assert sizes == [[224, 224, 112], [224, 224]]
    views = [cfg.train_pipeline[1]['views'][:2] for cfg in (ours, byol)]
    assert views[0] == views[1]
    assert without_pipelines(ours.to_dict()) == without_pipelines(
        byol.to_dict()
    )


@pytest.mark.parametrize('row', ROWS)
@pytest.mark.parametrize('method', ['selfemd', 'byol'])
def test_schedule_data_and_pipeline_of_each_row(method, row, monkeypatch):
    cfg = load(method, row)
    epochs = int(row.rsplit('_', 1)[1][:-1])
    assert cfg.train_cfg.max_epochs == epochs
    # The cosine ends with the run.
    assert [s.get('end') for s in cfg.param_scheduler] == [4, None]
    dataset = cfg.train_dataloader.dataset
    prefixes = dataset.data_prefix
    if isinstance(prefixes, str):
        prefixes = [prefixes]
    assert [dataset.data_root + prefix for prefix in prefixes] == {
        'r50_coco-plus_800e': [
            'data/coco/train2017/',
            'data/coco/unlabeled2017/',
        ],
        'r50_in1k_300e': ['data/imagenet/train/'],
    }.get(row, ['data/coco/train2017/'])
    assert dataset.pipeline == cfg.train_pipeline


def test_two_folders_are_one_data_set(image_folder, our_scope):
    cfg = load('selfemd', 'r50_coco-plus_800e').train_dataloader.dataset
    cfg.update(data_root=str(image_folder), data_prefix=['', 'more/'])
    dataset = DATASETS.build(cfg)
    assert len(dataset) == 8 + 2
    assert len(dataset[9]['inputs']) == 3


@pytest.mark.parametrize('method', ['selfemd', 'byol'])
def test_mobilenet_gives_a_map_that_the_neck_takes(method):
    cfg = load(method, 'mobilenet-v2_coco_800e')
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        model = MODELS.build(cfg.model).eval()
    with torch.no_grad():
        embedding = model.encoder(torch.zeros(1, 3, 224, 224))
    assert embedding.vector.shape == (1, 256)
    if method == 'selfemd':
        assert embedding.nodes.shape == (1, 83, 256)


def test_ablations_of_table_2():
    full = load('selfemd', 'r50_coco_800e')
    eq15 = load('selfemd', 'r50_coco_800e_eq15')
    eq14 = load('selfemd', 'r50_coco_800e_eq14')
    assert eq15.model.neck[1].pools == []
    assert len(eq15.train_pipeline[1]['views']) == 2
    assert eq15.model.head == full.model.head
    assert eq14.model.head == eq15.model.head | dict(marginals='mean')
    assert eq14.model.neck == eq15.model.neck
    assert eq14.train_pipeline == eq15.train_pipeline
