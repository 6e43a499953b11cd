"""A backbone's images are made 8-bit colour as in its pre-training."""

import json

import cv2
import numpy as np
import pytest
import torch
import torchvision
from mmengine.config import Config

from mmselfemd import extract_features
from mmselfemd.datasets.image_values import mapping_of, set_image_values
from mmselfemd.engine import launch
from mmselfemd.errors import UserValueError
from mmselfemd.zoo.conventions import check_same_values
from mmselfemd.zoo.extract import extract_backbone
from mmselfemd.zoo.pixels import read_convention

RECORD = dict(value_range=[29000, 31000], bands=[3, 0, 1])


def check(recorded, value_range=None, bands=None):
    check_same_values(dict(meta=recorded), value_range, bands, 'a.pth')


def loader(*steps):
    return dict(dataset=dict(type='UnlabelledDataset', pipeline=[*steps]))


def test_the_same_passes_and_a_range_measured_again():
    check(RECORD, (29000, 31000), (3, 0, 1))
    check(RECORD, [29015.0, 30990.0], [3, 0, 1])


@pytest.mark.parametrize(
    'given, named',
    [
        (dict(bands=(3, 0, 1)), 'value_range=(29000, 31000)'),
        (
            dict(value_range=(29100, 31000), bands=(3, 0, 1)),
            'value_range=(29000, 31000)',
        ),
        (dict(value_range=(29000, 31000)), 'bands=(3, 0, 1)'),
        (dict(value_range=(29000, 31000), bands=(0, 1, 3)), 'bands=(3, 0, 1)'),
    ],
)
def test_another_is_refused_with_what_to_set(given, named):
    with pytest.raises(UserValueError) as error:
        check(RECORD, **given)
    message = str(error.value)
    assert message.startswith("pretrained='a.pth' was trained with ")
    assert message.endswith(f'Set in the config {named}.')


def test_a_backbone_of_photographs_may_see_other_images():
    check(dict(style='pytorch'), (29000, 31000), (0, 1, 2))
    check({}, (29000, 31000))


@pytest.mark.parametrize(
    'cfg',
    [
        dict(value_range=(29000, 31000), bands=[3, 0, 1]),
        dict(
            value_range=None,
            train_dataloader=loader(dict(type='LoadImage', **RECORD)),
        ),
    ],
)
def test_a_checkpoint_tells_by_its_config_and_its_backbone_keeps_it(
    cfg, tmp_path
):
    pixels = dict(mean=[1.0] * 3, std=[2.0] * 3, to_rgb=True)
    text = Config(cfg | dict(data_preprocessor=pixels)).pretty_text
    found = read_convention(dict(cfg=text))
    assert {name: found[name] for name in RECORD} == RECORD
    weights = {'backbone.conv1.weight': torch.ones(1, 3, 7, 7)}
    meta = dict(cfg=text)
    torch.save(dict(state_dict=weights, meta=meta), tmp_path / 'run.pth')
    for name in ('backbone.pth', 'backbone.safetensors'):
        extract_backbone(tmp_path / 'run.pth', tmp_path / name)
    kept = torch.load(tmp_path / 'backbone.pth', weights_only=True)['meta']
    assert {name: kept[name] for name in RECORD} == RECORD
    again = extract_backbone(
        tmp_path / 'backbone.safetensors', tmp_path / 'c.pth', force=True
    )
    assert again.tensors == 1
    kept = torch.load(tmp_path / 'c.pth', weights_only=True)['meta']
    assert {name: kept[name] for name in RECORD} == RECORD


def test_what_is_recorded_is_what_the_training_images_get():
    """A step that has a value of its own keeps it."""
    own = dict(type='LoadImage', value_range=(29000, 31000))
    cfg = Config(
        dict(
            value_range=(0, 65535),
            bands=(3,),
            train_dataloader=loader(own, dict(type='CutViews')),
            val_dataloader=loader(dict(type='LoadImage', bands=(1,))),
        )
    )
    set_image_values(cfg)
    found = read_convention(dict(cfg=cfg.pretty_text))
    used = mapping_of(cfg)
    assert tuple(found['value_range']) == used.value_range == (29000, 31000)
    assert tuple(found['bands']) == used.bands == (3,)


def test_what_other_images_get_is_not_recorded():
    for_test = loader(dict(type='LoadImage', value_range=(0, 9)))
    text = Config(dict(test_dataloader=for_test)).pretty_text
    assert read_convention(dict(cfg=text)) == {}


def test_where_nothing_was_set_nothing_is_recorded():
    text = Config(dict(value_range=None, bands=None)).pretty_text
    assert read_convention(dict(cfg=text)) == {}


def test_features_of_files_are_refused_where_files_are_read_otherwise(
    tmp_path,
):
    pixels = dict(channel_order='RGB', mean=[1.0] * 3, std=[2.0] * 3)
    weights = torchvision.models.resnet18().state_dict()
    weights = {k: v for k, v in weights.items() if not k.startswith('fc')}
    meta = dict(pixel_convention=pixels, value_range=[0, 4095])
    torch.save(dict(state_dict=weights, meta=meta), tmp_path / 'b.pth')
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((64, 64), np.uint16))
    paths = [str(tmp_path / 'a.png')]
    with pytest.raises(UserValueError, match='value_range.*as arrays'):
        next(iter(extract_features(paths, tmp_path / 'b.pth')))
    image = np.zeros((64, 64, 3), np.uint8)
    assert 'C5' in next(iter(extract_features([image], tmp_path / 'b.pth')))


@pytest.mark.parametrize(
    'broken',
    [
        dict(value_range=[2, 1]),
        dict(value_range='all'),
        dict(value_range=[float('nan'), 1]),
        dict(bands=[0, 1]),
        dict(bands=[0.5]),
        dict(bands=3),
    ],
)
def test_a_broken_record_is_said(broken):
    with pytest.raises(UserValueError, match=f'meta.{next(iter(broken))} is'):
        read_convention(broken, 'a.pth')


def test_a_detector_does_not_start_from_other_values(
    root, image_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    weights = torchvision.models.resnet18().state_dict()
    torch.save(dict(state_dict=weights, meta=RECORD), 'thermal.pth')
    image = dict(id=0, file_name='0.jpg', width=160, height=120)
    box = dict(id=1, image_id=0, category_id=1, bbox=[9, 9, 40, 40])
    labels = dict(
        images=[image],
        annotations=[box | dict(area=1600, iscrowd=0)],
        categories=[dict(id=1, name='person')],
    )
    (tmp_path / 'labels.json').write_text(json.dumps(labels))
    dataset = 'train_dataloader.dataset'
    options = {
        'pretrained': 'thermal.pth',
        'model.backbone.depth': 18,
        'model.neck.in_channels': [64, 128, 256, 512],
        f'{dataset}.data_root': str(image_folder),
        f'{dataset}.ann_file': str(tmp_path / 'labels.json'),
        f'{dataset}.data_prefix.img': '',
        f'{dataset}.metainfo': dict(classes=('person',)),
        'model.roi_head.bbox_head.num_classes': 1,
        'train_dataloader.batch_size': 1,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'val_dataloader': None,
        'val_cfg': None,
        'val_evaluator': None,
    }
    name = 'configs/detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py'
    config = str(root / name)
    with pytest.raises(UserValueError) as error:
        launch.train(config, work_dir='run', cfg_options=options)
    assert 'value_range=(29000, 31000), and the detector has' in str(
        error.value
    )
    options |= dict(value_range=[29000, 31000])
    with pytest.raises(UserValueError, match=r'bands=\(3, 0, 1\)\.'):
        launch.train(config, work_dir='run', cfg_options=options)
