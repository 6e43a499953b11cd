"""Python that pages show and no other test runs, read from the page."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from made_up_detections import make_annotations, make_results
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import (
    DATASETS,
    HOOKS,
    LOOPS,
    MODELS,
    DefaultScope,
)

from mmselfemd.datasets import UnlabelledDataset
from mmselfemd.datasets.image_database import images_to_lmdb
from mmselfemd.datasets.image_values import mapping_of
from mmselfemd.engine.launch import load_config

DOCS = Path(__file__).resolve().parents[1] / 'docs'


def block_with(page, words):
    """The one block of a page that has these words."""
    text = (DOCS / page).read_text()
    blocks = re.findall(r'```python\n(.*?)```', text, re.S)
    (block,) = [each for each in blocks if words in each]
    return block


def config_of(page, words, folder):
    path = folder / 'mine.py'
    block = block_with(page, words)
    path.write_text(
        block.replace("'./selfemd_", "'mmselfemd::selfemd/selfemd_")
    )
    return Config.fromfile(path)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_detectors_are_compared_from_python(tmp_path, capsys):
    rng = np.random.default_rng(0)
    content = make_annotations(rng)
    (tmp_path / 'val.json').write_text(json.dumps(content))
    for name, skill in (('selfemd', 0.9), ('random', 0.3)):
        for seed in range(3):
            found = make_results(rng, content, skill)
            path = tmp_path / f'{name}_{seed}.json'
            path.write_text(json.dumps(found))
    exec(block_with('did_it_help.md', 'difference.sentence'), {})
    said = capsys.readouterr().out
    assert re.match(r'Self-EMD helps by [\d.]+ AP50 compared with', said)


def test_colours_are_changed_on_the_device(image_folder, tmp_path):
    cfg = config_of('input.md', 'PhotometricPreprocessor', tmp_path)
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        dataset = UnlabelledDataset(
            str(image_folder), pipeline=cfg.train_pipeline
        )
        preprocessor = MODELS.build(cfg.data_preprocessor)
        views, samples = (
            preprocessor(default_collate([dataset[0], dataset[1]]), True)[name]
            for name in ('inputs', 'data_samples')
        )
    assert [tuple(view.shape) for view in views] == [(2, 3, 224, 224)] * 2
    assert all(view.isfinite().all() for view in views)
    assert all('photometric' in view for view in samples[0].views)


def test_a_config_reads_a_database(image_folder, tmp_path):
    images_to_lmdb([str(image_folder)], 'data/coco_train2017.lmdb')
    cfg = config_of('input.md', "backend='lmdb'", tmp_path)
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        assert len(dataset) == 8
        assert len(dataset[7]['inputs']) == 3  # views


@pytest.mark.parametrize(
    'base',
    [
        'selfemd/selfemd_r50_coco_800e.py',
        'detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py',
    ],
)
def test_two_lines_say_what_becomes_colour(tmp_path, base):
    lines = block_with('input.md', 'value_range')
    (tmp_path / 'mine.py').write_text(f"_base_ = 'mmselfemd::{base}'\n{lines}")
    cfg = load_config('mine.py')
    for split in ('train', 'val'):
        mapping = mapping_of(cfg, split)
        assert mapping.value_range == (29_000, 31_000)
        assert mapping.bands == (3, 2, 1)


def test_annotations_are_checked_in_a_config_of_ones_own(tmp_path):
    cfg = config_of('own_boxes.md', 'CheckAnnotationsHook', tmp_path)
    assert cfg.custom_imports.imports == ['mmselfemd']
    assert HOOKS.build(cfg.default_hooks.annotations).stops


def test_boxes_of_ones_own_in_a_config(tmp_path):
    cfg = config_of('own_boxes.md', "classes=('cat', 'dog')", tmp_path)
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert dataset.metainfo.classes == ('cat', 'dog')
        assert dataset.data_root == 'data/pets/'
    assert cfg.val_evaluator.ann_file == 'data/pets/val.json'
    with DefaultScope.overwrite_default_scope('mmdet'):
        head = MODELS.build(cfg.model).roi_head.bbox_head
    assert head.fc_cls.out_features == 2 + 1


def test_loops_that_are_the_same_every_time():
    block = block_with('resume.md', 'ReproducibleIterBasedTrainLoop')
    for each in block.split('train_cfg = ')[1:]:
        loop = LOOPS.get(eval(each)['type'])
        assert loop is not None and loop.__module__.startswith('mmselfemd')
