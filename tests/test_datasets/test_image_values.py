"""One line of a config sets the pixels of both stages."""

import json

import cv2
import numpy as np
import pytest
from mmdet.registry import TRANSFORMS as MMDET_TRANSFORMS
from mmengine.config import Config
from mmengine.registry import TRANSFORMS, DefaultScope

from mmselfemd.datasets import LoadDetectionImage
from mmselfemd.datasets.broken_images import UnreadableImageError
from mmselfemd.datasets.image_values import (
    check_input_channels,
    for_arrays,
    mapping_of,
    set_image_values,
)
from mmselfemd.datasets.pipelines import pipelines_of
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError, UserValueError
from mmselfemd.evaluation import cut_boxes
from mmselfemd.visualization import read_rgb

PRETRAINING = 'configs/selfemd/selfemd_r50_coco_800e.py'
DETECTION = [
    'configs/detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py',
    'configs/detection/voc0712/faster-rcnn_r50_fpn_syncbn_24k_voc0712.py',
    'configs/detection/stock/faster-rcnn_r50_fpn_1x_coco.py',
]


def loading_steps(cfg):
    return [
        pipeline[0]
        for split in ('train', 'val', 'test')
        for pipeline in pipelines_of(cfg[f'{split}_dataloader'])
    ]


@pytest.mark.parametrize('name', [PRETRAINING, *DETECTION])
def test_a_setting_reaches_every_pipeline(root, name):
    options = dict(value_range=[29000, 31000], bands=[3])
    cfg = load_config(str(root / name), cfg_options=options)
    steps = loading_steps(cfg)
    assert len(steps) >= 3
    for step in steps:
        assert (step.value_range, step.bands) == ([29000, 31000], [3])
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            mapping = TRANSFORMS.build(step).mapping
        assert (mapping.value_range, mapping.bands) == ((29000, 31000), (3,))


def test_a_setting_reaches_the_pipeline_of_test_time_augmentation(root):
    load = dict(type='LoadImageFromFile')
    options = dict(bands=[3], tta_pipeline=[load, dict(type='TestTimeAug')])
    cfg = load_config(str(root / DETECTION[0]), cfg_options=options)
    assert cfg.tta_pipeline[0].type == 'mmselfemd.LoadDetectionImage'
    assert cfg.tta_pipeline[0].bands == [3]


@pytest.mark.parametrize('name', DETECTION)
def test_without_one_a_detector_keeps_its_type(root, name):
    for step in loading_steps(load_config(str(root / name))):
        assert step.type == 'LoadImageFromFile'
        assert not {'value_range', 'bands'} & step.keys()


def test_mmdets_name_is_ours_and_reads_what_mmcv_reads(image_folder):
    """The same pixels, keys and types of a plain photograph."""
    from mmcv.transforms import LoadImageFromFile

    path = dict(img_path=str(image_folder / '0.jpg'))
    for arguments in (
        dict(),
        dict(to_float32=True),
        dict(color_type='grayscale'),
    ):
        with DefaultScope.overwrite_default_scope('mmdet'):
            ours = TRANSFORMS.build(
                dict(type='LoadImageFromFile', **arguments)
            )
        assert type(ours) is LoadDetectionImage
        found = ours(dict(path))
        expected = LoadImageFromFile(**arguments)(dict(path))
        assert found.keys() == expected.keys()
        assert np.array_equal(found.pop('img'), expected.pop('img'))
        assert found == expected
    assert MMDET_TRANSFORMS.get('LoadImageFromFile') is LoadDetectionImage
    assert TRANSFORMS.get('LoadImageFromFile') is LoadImageFromFile


def test_a_key_that_a_database_lacks_is_named(monkeypatch):
    """mmengine's LmdbBackend has None for it."""
    reading = 'mmselfemd.datasets.transforms.load_detection_image.get'
    monkeypatch.setattr(reading, lambda *args, **kwargs: None)
    lmdb = dict(backend='lmdb', db_path='x.lmdb')
    image = dict(img_path='pets/1.jpg')
    with pytest.raises(
        UnreadableImageError, match=r'^pets/1\.jpg cannot .*no such key'
    ):
        LoadDetectionImage(backend_args=lmdb)(image)
    load = LoadDetectionImage(ignore_empty=True, backend_args=lmdb)
    assert load(image) is None


def test_a_step_of_its_own_setting_keeps_it(root):
    options = {
        'value_range': [0, 4095],
        'val_dataloader.dataset.pipeline.0.value_range': [0, 1023],
    }
    cfg = load_config(str(root / PRETRAINING), cfg_options=options)
    train, val, _ = loading_steps(cfg)
    assert (train.value_range, val.value_range) == ([0, 4095], [0, 1023])


@pytest.mark.parametrize(
    'options', [dict(value_range=7), dict(bands=[0, 1]), dict(bands='rgb')]
)
def test_a_setting_that_cannot_be_meant_stops_at_once(root, options):
    with pytest.raises(
        UserValueError, match=f'the config: {next(iter(options))}'
    ):
        load_config(str(root / PRETRAINING), cfg_options=options)


def test_nothing_is_written_where_nothing_is_set(root):
    cfg = load_config(str(root / PRETRAINING))
    before = cfg.to_dict()
    set_image_values(cfg)
    assert cfg.to_dict() == before


def test_other_numbers_of_channels_are_refused_in_words(root):
    options = {'model.backbone.in_channels': 4}
    cfg = load_config(str(root / PRETRAINING), cfg_options=options)
    with pytest.raises(UserError, match=r'in_channels=4: .* bands='):
        check_input_channels(cfg)
    check_input_channels(load_config(str(root / PRETRAINING)))


@pytest.mark.parametrize(
    'others',
    [
        dict(color_type='unchanged'),
        dict(imdecode_backend='pillow'),
        dict(file_client_args=dict(backend='disk')),
    ],
)
def test_what_mmcv_reads_is_not_left_without_a_setting(image_folder, others):
    from mmcv.transforms import LoadImageFromFile

    with pytest.raises(UserValueError, match='would not be applied'):
        LoadDetectionImage(value_range=(0, 9), **others)
    path = str(next(image_folder.rglob('*.jpg')))
    image = LoadDetectionImage(**others)(dict(img_path=path))['img']
    expected = LoadImageFromFile(**others)(dict(img_path=path))['img']
    assert np.array_equal(image, expected)


def test_what_a_pipeline_alone_sets_holds_for_pictures_too(root):
    options = {
        'train_dataloader.dataset.pipeline.0.value_range': [0, 4095],
        'train_dataloader.dataset.pipeline.0.bands': [1],
    }
    cfg = load_config(str(root / PRETRAINING), cfg_options=options)
    mapping = mapping_of(cfg)
    assert (mapping.value_range, mapping.bands) == ((0, 4095), (1,))
    options = {'test_dataloader.dataset.pipeline.0.value_range': [0, 9]}
    cfg = load_config(str(root / DETECTION[0]), cfg_options=options)
    assert mapping_of(cfg, 'test').value_range == (0, 9)
    assert mapping_of(cfg).value_range is None


def test_pictures_and_boxes_of_a_config_are_read_by_its_settings(tmp_path):
    """Those that do not go through the config's pipelines."""
    counts = np.linspace(29000, 31000, 40 * 60).reshape(40, 60)
    path = str(tmp_path / 'a.png')
    cv2.imwrite(path, counts.astype(np.uint16))
    cfg = Config(dict(value_range=(29000, 31000)))
    mapping = mapping_of(cfg)
    assert np.ptp(read_rgb(path, mapping=mapping)) == 255
    assert np.ptp(read_rgb(path)) < 16
    annotation = dict(
        id=1, image_id=1, category_id=1, bbox=[0, 0, 60, 40], area=2400
    )
    content = dict(
        images=[dict(id=1, file_name='a.png', width=60, height=40)],
        categories=[dict(id=1, name='warm')],
        annotations=[annotation],
    )
    (tmp_path / 'boxes.json').write_text(json.dumps(content))
    boxes = cut_boxes(tmp_path / 'boxes.json', tmp_path, 32, mapping=mapping)
    assert np.ptp(boxes.crops) > 240


def test_mmdets_loading_of_arrays_is_given_no_setting(root):
    options = dict(value_range=[29000, 31000], bands=[0, 1, 2])
    cfg = load_config(str(root / DETECTION[0]), cfg_options=options)
    copy = for_arrays(cfg)
    (step,) = [p[0] for p in pipelines_of(copy.test_dataloader)]
    step['type'] = 'mmdet.LoadImageFromNDArray'  # as inference_detector does
    image = np.zeros((4, 5, 3), np.uint8)
    assert TRANSFORMS.build(step)(dict(img=image))['img'] is image
    (step,) = [p[0] for p in pipelines_of(cfg.test_dataloader)]
    assert step.value_range == [29000, 31000]
