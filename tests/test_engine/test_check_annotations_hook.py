"""Annotation files are checked on every way into a run."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmdet.evaluation.metrics import coco_metric
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import nn

from mmselfemd.datasets.annotations import forget_files
from mmselfemd.datasets.annotations.usage import num_classes_of
from mmselfemd.engine import launch
from mmselfemd.errors import UserError

CONFIG = """
default_scope = 'mmdet'
model = dict(type='OracleDetector')
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(60, 40), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs')]
sets = {
    split: dict(
        batch_size=2, num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='CocoDataset', data_root=DATA, ann_file=f'{split}.json',
            data_prefix=dict(img=f'{split}/'), pipeline=pipeline,
            test_mode=split == 'val',
            metainfo=dict(classes=('cat', 'dog'))))
    for split in ('train', 'val')}
train_dataloader = sets['train']
val_dataloader = test_dataloader = sets['val']
val_evaluator = test_evaluator = dict(
    type='CocoMetric', ann_file=DATA + 'val.json')
train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)
val_cfg = test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05))
del sets, pipeline
"""
HOOK = """
default_hooks = dict(
    annotations=dict(type='mmselfemd.CheckAnnotationsHook'))
"""


@MODELS.register_module(force=True)
class OracleDetector(BaseModel):
    """Predicts what the pipeline has read."""

    def __init__(self, num_classes: int = 2) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.bbox_head = nn.Identity()
        self.bbox_head.num_classes = num_classes
        self.rpn_head = nn.Identity()
        self.rpn_head.num_classes = 1

    def forward(self, inputs, data_samples, mode='tensor'):
        if mode == 'loss':
            return dict(loss=self.weight.sum())
        for sample in data_samples:
            truth = sample.gt_instances
            boxes = getattr(truth.bboxes, 'tensor', truth.bboxes)
            sample.pred_instances = InstanceData(
                bboxes=boxes,
                labels=truth.labels,
                scores=torch.ones(len(boxes)),
            )
        return data_samples


class Project:
    """A config, and two files with their images, to be spoilt."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, {}
        for seed, split in enumerate(('train', 'val')):
            self.files[split] = self._file(split, seed)
        self.has_hook = False

    def _file(self, split, seed):
        generator = np.random.default_rng(seed)
        content = dict(images=[], annotations=[], categories=[])
        (self.folder / split).mkdir(parents=True)
        for number in range(1, 5):
            pixels = generator.integers(0, 256, (80, 120, 3), np.uint8)
            name = f'{number}.png'
            cv2.imwrite(str(self.folder / split / name), pixels)
            content['images'].append(
                dict(id=number, file_name=name, width=120, height=80)
            )
        for number in range(1, 45):
            x, y = generator.integers(0, (80, 40)).tolist()
            content['annotations'].append(
                dict(
                    id=number,
                    image_id=number % 4 + 1,
                    category_id=number // 4 % 2 + 1,
                    bbox=[x, y, 30, 36],
                    area=1080,
                    iscrowd=0,
                )
            )
        for number, name in enumerate(('cat', 'dog'), 1):
            content['categories'].append(dict(id=number, name=name))
        return content

    def write(self) -> str:
        for split, content in self.files.items():
            path = self.folder / f'{split}.json'
            path.write_text(json.dumps(content))
        text = CONFIG.replace('DATA', repr(f'{self.folder}/'))
        config = self.folder / 'config.py'
        text += f"experiment_name = 'run {os.urandom(4).hex()}'\n"
        config.write_text(text + HOOK * self.has_hook)
        return str(config)

    def train(self, way, **options):
        """By this project's tool, or as mmdet's does it."""
        work_dir = str(self.folder / 'run')
        if way == 'ours':
            launch.train(self.write(), work_dir, cfg_options=options)
            return
        self.has_hook = True
        cfg = Config.fromfile(self.write())
        cfg.work_dir = work_dir
        cfg.merge_from_dict(options)
        Runner.from_cfg(cfg).train()

    def figures(self):
        log = next((self.folder / 'run').glob('*/vis_data/scalars.json'))
        return json.loads(log.read_text().splitlines()[-1])

    def records(self):
        (path,) = (self.folder / 'run').glob('*/annotations.json')
        records = json.loads(path.read_text())
        return {record['kind']: record for record in records}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A correct one; mmdet's readers are put back."""
    monkeypatch.setattr(CocoDataset, 'COCOAPI', COCO)
    monkeypatch.setattr(coco_metric, 'COCO', COCO)
    forget_files()
    yield Project(tmp_path)
    forget_files()


WAYS = pytest.mark.parametrize('way', ['ours', 'mmdet'])


def spoil(project):
    """All that is mended, at once."""
    for content in project.files.values():
        for item in content['annotations']:
            del item['area'], item['iscrowd']
            item['id'] -= 1
        content['annotations'][7]['bbox'] = [100, 50, 40, 40]
        content['categories'].reverse()


@WAYS
def test_what_is_mended_is_learnt_and_evaluated_right(project, way, logged):
    spoil(project)
    project.train(way)
    assert project.figures()['coco/bbox_mAP'] > 0.99
    records = project.records()
    assert records.keys() == {
        'area-missing',
        'iscrowd-missing',
        'annotation-id-zero',
        'box-partly-outside',
        'class-order',
    }
    assert records['area-missing']['count'] == 44
    text = '\n'.join(logged)
    assert text.count('Mended in memory: ') == 2  # once for each file
    assert 'annotations.json' in text


def test_the_tool_for_tests_mends_too(project):
    spoil(project)
    project.train('ours')
    metrics = launch.test(
        project.write(),
        str(project.folder / 'run' / 'epoch_1.pth'),
        work_dir=str(project.folder / 'test'),
    )
    assert metrics['coco/bbox_mAP'] > 0.99


def test_without_the_hook_mmdet_fails_on_it(project):
    """The control."""
    spoil(project)
    cfg = Config.fromfile(project.write())
    cfg.work_dir = str(project.folder / 'run')
    with pytest.raises(KeyError):
        Runner.from_cfg(cfg).train()


@WAYS
def test_a_correct_run_is_silent(project, way, logged):
    project.train(way)
    assert project.figures()['coco/bbox_mAP'] > 0.99
    text = '\n'.join(logged)
    assert 'Mended' not in text and 'To know' not in text
    assert not list((project.folder / 'run').glob('*/annotations.json'))


@WAYS
@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (
            lambda p: p.files['train']['annotations'][2].update(bbox=[1, 2]),
            ['annotation 3 of image 4: bbox [1, 2]'],
        ),
        (
            lambda p: p.files['train']['images'][0].update(width=80),
            ['80 x 80), decodes as 120 x 80'],
        ),
        (
            lambda p: (p.folder / 'val' / '1.png').write_bytes(
                (p.folder / 'train' / '2.png').read_bytes()
            ),
            ['image-in-train', 'train/2.png'],
        ),
        (
            lambda p: p.files['val']['categories'][1].update(name='Dog'),
            ["'dog' (there is 'Dog')"],
        ),
    ],
    ids=['box', 'size', 'same photograph', 'class'],
)
def test_what_is_wrong_stops_before_the_first_step(
    project, way, change, words
):
    change(project)
    with pytest.raises(UserError) as caught:
        project.train(way)
    assert all(word in str(caught.value) for word in words)
    assert not list((project.folder / 'run').glob('*.pth'))
    assert not list((project.folder / 'run').glob('*/vis_data/scalars.json'))


def test_all_files_are_told_of_at_once(project):
    project.files['train']['annotations'][0]['image_id'] = 77
    project.files['val']['annotations'][1]['category_id'] = 9
    with pytest.raises(UserError) as caught:
        project.train('ours', **{'model.num_classes': 80})
    text = str(caught.value)
    assert 'image_id 77' in text and 'category_id 9' in text
    assert 'model.bbox_head.num_classes is 80' in text
    assert len(project.records()) == 3


def test_a_run_goes_on_all_the_same_where_that_is_wanted(project, logged):
    project.has_hook = True
    project.files['train']['images'][0].update(width=80)
    project.train('ours', **{'default_hooks.annotations.stops': False})
    assert 'decodes as 120 x 80' in '\n'.join(logged)
    assert (project.folder / 'run' / 'epoch_1.pth').exists()


def test_categories_that_are_left_out_on_purpose(project):
    project.has_hook = True
    options = {
        f'{loader}_dataloader.dataset.metainfo.classes': ['dog']
        for loader in ('train', 'val', 'test')
    }
    options['model.num_classes'] = 1
    with pytest.raises(UserError, match='default_hooks.annotations.left_out'):
        project.train('ours', **options)
    options['default_hooks.annotations.left_out'] = ['cat']
    project.train('ours', **options)
    assert project.figures()['coco/bbox_mAP'] > 0.99


def test_an_evaluator_of_another_file(project):
    other = project.folder / 'other.json'
    content = dict(project.files['val'])
    content['images'] = [i | dict(id=i['id'] + 9) for i in content['images']]
    content['annotations'] = []
    other.write_text(json.dumps(content))
    with pytest.raises(UserError, match='evaluator-other-file'):
        project.train('ours', **{'val_evaluator.ann_file': str(other)})


def test_a_test_set_that_is_not_there_stops_no_training(project):
    project.train(
        'ours',
        **{
            'test_dataloader.dataset.ann_file': 'nowhere.json',
            'test_evaluator.ann_file': 'nowhere.json',
        },
    )
    assert (project.folder / 'run' / 'epoch_1.pth').exists()


def test_other_formats_are_used_as_they_are_with_a_line(project, logged):
    folder = project.folder / 'voc'
    folder.mkdir()
    (folder / 'list.txt').write_text('')
    cfg = Config.fromfile(project.write())
    cfg.train_dataloader.dataset = dict(
        type='VOCDataset', data_root=f'{folder}/', ann_file='list.txt'
    )
    cfg.work_dir = str(project.folder / 'run')
    runner = Runner.from_cfg(cfg)
    launch.check_annotations(runner, ['train', 'val'])
    assert project.records().keys() == {'not-checked'}
    assert 'train_dataloader.dataset: VOCDataset' in '\n'.join(logged)


def test_heads_that_know_other_classes_are_left_alone():
    model = OracleDetector(5)
    model.semantic_head = nn.Identity()
    model.semantic_head.num_classes = 171
    model.mask_head = nn.Identity()
    model.mask_head.num_classes = 7
    model.panoptic_head = nn.Identity()
    model.panoptic_head.num_classes = 133
    model.panoptic_head.num_things_classes = 80
    assert num_classes_of(model) == {
        'bbox_head.num_classes': 5,
        'mask_head.num_classes': 7,
        'panoptic_head.num_things_classes': 80,
    }


def test_a_model_of_proposals_alone_has_one_class():
    class RPNHead(nn.Identity):
        num_classes = 1

    model = OracleDetector()
    model.bbox_head = RPNHead()
    assert num_classes_of(model) == {}
