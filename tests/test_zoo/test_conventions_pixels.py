"""A backbone is fed the pixels that it was trained on, or the run stops."""

import json

import numpy as np
import pytest
import torch
from mmdet.models import ResNet
from mmengine.model import BaseDataPreprocessor, ImgDataPreprocessor

from mmselfemd.engine import launch
from mmselfemd.errors import UserError
from mmselfemd.zoo.conventions import check_pixel_convention

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
RGB = dict(channel_order='RGB', mean=MEAN, std=STD)
CAFFE = dict(channel_order='BGR', mean=MEAN[::-1], std=[1.0, 1.0, 1.0])
NAME = 'configs/detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py'


def preprocessor(channel_order, mean, std):
    return ImgDataPreprocessor(
        mean=mean, std=std, bgr_to_rgb=channel_order == 'RGB'
    )


def check(expected, given):
    check_pixel_convention(
        dict(meta=dict(pixel_convention=expected)),
        preprocessor(**given),
        'a.pth',
    )


@pytest.mark.parametrize('convention', [RGB, CAFFE])
def test_the_same_is_taken(convention):
    check(convention, convention)
    rounded = [round(value) for value in convention['mean']]
    check(convention | dict(mean=rounded), convention)


@pytest.mark.parametrize(
    ('expected', 'given'),
    [
        (RGB, CAFFE),
        (CAFFE, RGB),
        (RGB, RGB | dict(channel_order='BGR')),
        (RGB, RGB | dict(mean=MEAN[::-1])),
        (RGB, RGB | dict(std=STD[::-1])),
        (RGB, RGB | dict(std=[1.0, 1.0, 1.0])),
        (RGB | dict(mean=[0.0] * 3, std=[255.0] * 3), RGB),
    ],
)
def test_another_is_refused_and_what_to_set_is_right(expected, given):
    with pytest.raises(UserError) as error:
        check(expected, given)
    message = str(error.value)
    assert message.startswith("pretrained='a.pth' was trained on ")
    # What it says to set is what then passes.
    remedy = message.partition('data_preprocessor=')[2].removesuffix('.')
    check_pixel_convention(
        dict(meta=dict(pixel_convention=expected)),
        ImgDataPreprocessor(**eval(remedy)),
        'a.pth',
    )


def test_a_pretraining_checkpoint_as_it_is_tells_its_pixels():
    """It has the config of its run, and no record beside it."""
    processing = f'data_preprocessor = dict(mean={MEAN}, std={STD}, to_rgb='
    for to_rgb in (True, False):
        checkpoint = dict(meta=dict(cfg=f'{processing}{to_rgb})'))
        check_pixel_convention(
            checkpoint,
            ImgDataPreprocessor(mean=MEAN, std=STD, bgr_to_rgb=to_rgb),
            'a.pth',
        )
        with pytest.raises(UserError, match=f'bgr_to_rgb={to_rgb}'):
            check_pixel_convention(
                checkpoint,
                ImgDataPreprocessor(mean=MEAN, std=STD, bgr_to_rgb=not to_rgb),
                'a.pth',
            )


def test_without_normalising_the_values_are_as_loaded():
    plain = ImgDataPreprocessor()
    raw = dict(channel_order='BGR', mean=[0.0] * 3, std=[1.0] * 3)
    check_pixel_convention(dict(meta=dict(pixel_convention=raw)), plain, 'a')
    with pytest.raises(UserError, match=r'given BGR, mean \[0.0, 0.0, 0.0\]'):
        check_pixel_convention(
            dict(meta=dict(pixel_convention=RGB)), plain, 'a'
        )


@pytest.mark.parametrize('checkpoint', [{}, dict(meta={}), dict(meta='x')])
def test_where_nothing_is_recorded_nothing_is_said(checkpoint):
    check_pixel_convention(checkpoint, preprocessor(**CAFFE), 'a.pth')
    check_pixel_convention(
        dict(meta=dict(pixel_convention=RGB)), BaseDataPreprocessor(), 'a.pth'
    )


def test_what_a_preprocessor_gives_is_what_is_compared():
    """By value: a red image, loaded as BGR, as the network gets it."""
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 2] = 255
    inputs = [torch.from_numpy(red).permute(2, 0, 1)]
    for convention in (RGB, CAFFE):
        pixel = preprocessor(**convention)(dict(inputs=inputs))['inputs']
        channels = [255, 0, 0]
        if convention['channel_order'] == 'BGR':
            channels = channels[::-1]
        expected = [
            (value - mean) / std
            for value, mean, std in zip(
                channels, convention['mean'], convention['std'], strict=True
            )
        ]
        assert pixel[0, :, 0, 0].tolist() == pytest.approx(expected, rel=1e-4)


def test_a_detector_does_not_start_from_other_pixels(
    root, image_folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    torch.save(
        dict(
            state_dict=ResNet(depth=18).state_dict(),
            meta=dict(pixel_convention=CAFFE),
        ),
        'caffe.pth',
    )
    image = dict(id=0, file_name='0.jpg', width=160, height=120)
    box = dict(image_id=0, category_id=1, bbox=[9, 9, 40, 40], area=1600)
    labels = dict(
        images=[image],
        annotations=[box | dict(id=1, iscrowd=0)],
        categories=[dict(id=1, name='person')],
    )
    (tmp_path / 'labels.json').write_text(json.dumps(labels))
    dataset = 'train_dataloader.dataset'
    with pytest.raises(UserError, match='bgr_to_rgb=False'):
        launch.train(
            str(root / NAME),
            work_dir='run',
            cfg_options={
                'pretrained': 'caffe.pth',
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
            },
        )
