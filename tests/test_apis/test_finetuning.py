"""From labelled photographs to the config of a detector."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.registry import DATASETS, MODELS, DefaultScope

from mmselfemd.apis import finetune
from mmselfemd.apis.architectures import ARCHITECTURES, standard_backbone
from mmselfemd.apis.detectors import DETECTORS
from mmselfemd.datasets.annotations.usage import num_classes_of
from mmselfemd.datasets.scenes import SCENE_CLASSES
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError, UserFileNotFoundError
from mmselfemd.zoo.architecture import build_backbone


def plan(images='photos', train='train.json', val='val.json', **kwargs):
    """Write the config; return it resolved, and what was said."""
    said = []
    arguments = dict(pretrained=None, arch='resnet18') | kwargs
    found = finetune(
        images, train, val, dry_run=True, report=said.append, **arguments
    )
    return load_config(str(found.config)), said


def change(file, **lists):
    content = json.loads(Path(file).read_text())
    content.update(lists)
    Path(file).write_text(json.dumps(content))


def boxes_of(file, names):
    """Annotations of some categories."""
    content = json.loads(Path(file).read_text())
    ids = [c['id'] for c in content['categories'] if c['name'] in names]
    return [a for a in content['annotations'] if a['category_id'] in ids]


def named_boxes(cfg, split):
    """Boxes of a data set as mmdet reads it, by the names of its classes."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(cfg[f'{split}_dataloader'].dataset)
    dataset.full_init()
    names = dataset.metainfo['classes']
    return sorted(
        (Path(image['img_path']).name, names[each['bbox_label']])
        for image in map(dataset.get_data_info, range(len(dataset)))
        for each in image['instances']
    )


def written_boxes(file):
    content = json.loads(Path(file).read_text())
    names = {each['id']: each['name'] for each in content['categories']}
    files = {each['id']: each['file_name'] for each in content['images']}
    return sorted(
        (files[each['image_id']], names[each['category_id']])
        for each in content['annotations']
    )


def test_classes_and_labels_are_those_of_the_file(folder):
    cfg, said = plan()
    named = {name for _, name in written_boxes('train.json')}
    named |= {name for _, name in written_boxes('val.json')}
    classes = tuple(n for n in reversed(SCENE_CLASSES) if n in named)
    assert tuple(cfg.metainfo.classes) == classes
    for split in ('train', 'val', 'test'):
        file = 'train.json' if split == 'train' else 'val.json'
        assert named_boxes(cfg, split) == written_boxes(file)
    assert cfg.val_evaluator.ann_file == 'val.json'
    assert f'{len(classes)} classes' in '\n'.join(said)


def test_a_category_without_boxes_is_no_class(folder):
    for file in ('train.json', 'val.json'):
        kept = boxes_of(file, SCENE_CLASSES[:3])
        change(file, annotations=kept)
    cfg, _ = plan()
    assert set(cfg.metainfo.classes) <= set(SCENE_CLASSES[:3])
    assert cfg.model.roi_head.bbox_head.num_classes == len(
        cfg.metainfo.classes
    )


def test_a_name_of_a_class_is_no_code(folder):
    name = "b\nopen('written', 'w')\n{{ fileBasename }}"
    for file in ('train.json', 'val.json'):
        categories = json.loads(Path(file).read_text())['categories']
        categories[0]['name'] = name
        change(file, categories=categories)
    cfg, _ = plan()
    assert name in cfg.metainfo.classes
    assert not Path('written').exists()
    assert named_boxes(cfg, 'val') == written_boxes('val.json')


@pytest.mark.parametrize('cut_off', [False, True])
def test_a_finished_run_says_what_was_evaluated(folder, cut_off):
    plan(iterations=20)
    run = Path('work_dirs/finetune_photos')
    log = run / '20300101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    lines = [
        dict(loss=3.0, step=10),
        {'coco/bbox_mAP': 0.125, 'time': 1.0, 'step': 10},
        dict(loss=2.0, step=20),
        {'coco/bbox_mAP': 0.25, 'time': 1.0, 'step': 20},
    ]
    kept = lines[:-1] if cut_off else lines
    log.write_text('\n'.join(map(json.dumps, kept)))
    (run / 'iter_20.pth').touch()
    said = []
    boxes = dict(pretrained=None, arch='resnet18', iterations=20)
    finetune('photos', 'train.json', 'val.json', report=said.append, **boxes)
    config, checkpoint = 'work_dirs/finetune_photos.py', run / 'iter_20.pth'
    if cut_off:
        command = f'tools/test.py {config} {checkpoint}'
        assert any(line.endswith(command) for line in said)
    else:
        assert 'On val.json: coco/bbox_mAP 0.250' in said


def test_an_empty_variable_is_no_random_backbone(folder):
    with pytest.raises(UserError, match="--pretrained ''.*not set"):
        plan(pretrained='', arch=None)
    with pytest.raises(UserError, match="--val-images ''"):
        plan(val_images='')
    assert not Path('work_dirs').exists()


@pytest.mark.parametrize(
    'detector, arch',
    [*zip(DETECTORS, ['resnet18', 'resnext50', 'mobilenet-v2'], strict=True)],
)
def test_every_detector_is_built_with_its_classes(folder, detector, arch):
    cfg, _ = plan(detector=detector, arch=arch)
    with DefaultScope.overwrite_default_scope('mmdet'):
        with torch.device('meta'):
            model = MODELS.build(cfg.model)
            model.backbone.eval()
            model.neck.eval()
            levels = model.neck(model.backbone(torch.empty(1, 3, 64, 64)))
    assert len(levels) == 5
    numbers = num_classes_of(model)
    assert len(numbers) == len(DETECTORS[detector].heads)
    assert set(numbers.values()) == {len(cfg.metainfo.classes)}
    rate = cfg.optim_wrapper.optimizer.lr
    images = cfg.auto_scale_lr.base_batch_size
    published = 0.01 if detector == 'retinanet' else 0.02
    assert rate == pytest.approx(published * images / 16)


@pytest.mark.parametrize('arch', ARCHITECTURES)
def test_the_network_without_a_file_is_that_of_one(arch):
    network = standard_backbone(arch).network
    with torch.device('meta'):
        assert build_backbone(network).state_dict()


@pytest.mark.parametrize('are_polygons', [True, False])
def test_masks_of_either_kind_are_learnt(folder, are_polygons):
    polygon = [[1, 1, 30, 1, 30, 30]]
    mask = polygon if are_polygons else dict(size=[64, 64], counts=[100, 3996])
    annotations = boxes_of('train.json', SCENE_CLASSES)
    change(
        'train.json',
        annotations=[a | dict(segmentation=mask) for a in annotations],
    )
    cfg, _ = plan(detector='mask-rcnn')
    load = cfg.train_dataloader.dataset.pipeline[1]
    assert load.with_mask and load.poly2mask == (not are_polygons)


def test_masks_that_are_missing_are_said(folder):
    annotations = boxes_of('val.json', SCENE_CLASSES)
    change(
        'val.json',
        annotations=[a | dict(segmentation=None) for a in annotations],
    )
    with pytest.raises(UserError, match='mask-missing'):
        plan(detector='mask-rcnn', work_dir='none')


def save_backbone(path, network, **meta):
    weights = build_backbone(network).state_dict()
    torch.save(dict(state_dict=weights, meta=meta), path)


NARROW = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)


def test_the_backbone_is_that_of_the_file(folder):
    pixels = dict(
        channel_order='BGR', mean=[103.53, 116.28, 123.675], std=[1.0] * 3
    )
    save_backbone(
        'own.pth',
        NARROW,
        pixel_convention=pixels,
        style='caffe',
        value_range=[0, 4095],
    )
    cfg, said = plan(pretrained='own.pth', arch=None)
    backbone = cfg.model.backbone
    assert (backbone.depth, backbone.base_channels) == (18, 8)
    assert 'Backbone: resnet18, of 8 channels where 64 are usual.' in said
    hours = [line for line in said if 'about' in line and 'hour' in line]
    assert all('were the backbone of the usual width' in h for h in hours)
    assert backbone.style == 'caffe'
    assert cfg.model.neck.in_channels == [8, 16, 32, 64]
    assert cfg.pretrained == 'own.pth'
    assert not cfg.model.data_preprocessor.bgr_to_rgb
    assert cfg.model.data_preprocessor.std == [1, 1, 1]
    assert cfg.value_range == (0, 4095)
    with pytest.raises(UserError, match='a resnet18, and --arch is resnet50'):
        plan(pretrained='own.pth', arch='resnet50', work_dir='another')
    with pytest.raises(UserError, match=r'--pretrained own.pth.*\(0, 4095\)'):
        plan(
            pretrained='own.pth',
            arch=None,
            value_range=(0, 255),
            work_dir='another',
        )


def test_a_file_without_a_known_backbone_is_refused(folder):
    torch.save(dict(state_dict={'fc.weight': torch.ones(2)}), 'own.pth')
    with pytest.raises(UserError, match='no known backbone'):
        plan(pretrained='own.pth', arch=None)
    with pytest.raises(UserFileNotFoundError, match='nowhere.pth'):
        plan(pretrained='nowhere.pth')


def test_what_is_missing_is_said(folder):
    with pytest.raises(UserFileNotFoundError, match='none.json'):
        plan(train='none.json')
    with pytest.raises(UserError, match='file-missing'):
        plan(images='.')
    with pytest.raises(UserError, match='faster-rcnn, mask-rcnn, retinanet'):
        plan(detector='yolo')
    Path('val.json').write_text('no')
    with pytest.raises(UserError, match='not-json'):
        plan()
    assert not Path('work_dirs').exists()


def test_a_photograph_of_both_files_is_refused(folder):
    content = json.loads(Path('train.json').read_text())
    change('val.json', **content)
    with pytest.raises(UserError, match='image-in-train'):
        plan()


def test_a_labelled_image_that_ends_early_is_refused(folder):
    path = next((folder / 'photos').glob('val_*'))
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match='1 of 4 images cannot be read'):
        plan()


def test_images_of_validation_may_lie_elsewhere(folder):
    (folder / 'held_out').mkdir()
    for path in (folder / 'photos').glob('val_*'):
        path.rename(folder / 'held_out' / path.name)
    cfg, _ = plan(val_images='held_out')
    assert cfg.val_dataloader.dataset.data_prefix.img == 'held_out'
    assert cfg.train_dataloader.dataset.data_prefix.img == 'photos'
    assert named_boxes(cfg, 'val') == written_boxes('val.json')


def test_the_length_can_be_given(folder):
    cfg, _ = plan(iterations=40)
    assert cfg.train_cfg.max_iters == 40
    assert cfg.param_scheduler[1].end == 40
    assert cfg.param_scheduler[1].milestones == [26, 35]
    assert cfg.default_hooks.checkpoint.interval == cfg.train_cfg.val_interval
