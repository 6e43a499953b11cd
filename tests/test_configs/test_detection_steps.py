"""Each family takes two steps and an evaluation on photographs.

From a backbone that the project's own tools have pre-trained, for two steps,
and extracted; at reduced size, with SyncBN where a GPU is and BN elsewhere.
"""

import json
from pathlib import Path

import pytest
import torch
from mmdet.datasets import VOCDataset
from mmdet.models import ResNet
from mmengine.logging import MessageHub
from PIL import Image

from mmselfemd.engine import launch
from mmselfemd.zoo import extract_backbone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CONFIGS = 'configs/detection'
COCO_NAMES = {'airplane': 'aeroplane', 'couch': 'sofa', 'tv': 'tvmonitor'}
COCO_NAMES |= {'motorcycle': 'motorbike', 'dining table': 'diningtable'}
COCO_NAMES |= {'potted plant': 'pottedplant'}
FAMILIES = {
    'coco/faster-rcnn_r50_fpn_syncbn_90k_coco': ['bbox'],
    'coco/mask-rcnn_r50_fpn_syncbn_90k_coco': ['bbox', 'segm'],
    'coco/mask-rcnn_r50_c4_syncbn_90k_coco': ['bbox', 'segm'],
    'coco/retinanet_r50_fpn_syncbn_90k_coco': ['bbox'],
    'coco/retinanet_r50_fpn_syncbn_90k_coco_sepbn': ['bbox'],
    'voc0712/faster-rcnn_r50_fpn_syncbn_24k_voc0712': ['bbox'],
}
SCALE = (160, 128)


@pytest.fixture(scope='module')
def backbone(root, photos, tmp_path_factory) -> Path:
    """A ResNet-50 after two steps of the published pre-training."""
    folder = tmp_path_factory.mktemp('backbone')
    launch.train(
        str(root / 'configs/selfemd/selfemd_r50_coco_800e.py'),
        work_dir=str(folder / 'run'),
        cfg_options={
            'train_dataloader.dataset.data_root': f'{photos}/coco32/',
            'train_dataloader.dataset.indices': 4,
            'train_dataloader.batch_size': 2,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            # Two images are no batch for the published rate.
            'optim_wrapper.optimizer.lr': 1e-4,
            'train_cfg.max_epochs': 1,
            'val_dataloader': None,
            'val_cfg': None,
            'val_evaluator': None,
        },
    )
    extract_backbone(folder / 'run/epoch_1.pth', folder / 'backbone.pth')
    return folder / 'backbone.pth'


@pytest.fixture(scope='module')
def voc_of_photographs(photos, tmp_path_factory, voc_xml) -> Path:
    """VOC's layout, made of the photographs that show its classes."""
    root = tmp_path_factory.mktemp('voc') / 'VOCdevkit'
    for year, part, split in (
        (2007, 'train', 'trainval'),
        (2007, 'val', 'test'),
        (2012, 'train', 'trainval'),
    ):
        source = photos / 'coco32'
        path = source / f'annotations/instances_{part}2017.json'
        content = json.loads(path.read_text())
        categories = {
            c['id']: COCO_NAMES.get(c['name'], c['name'])
            for c in content['categories']
        }
        folder = root / f'VOC{year}'
        for name in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
            (folder / name).mkdir(parents=True, exist_ok=True)
        stems = []
        for image in content['images']:
            objects = [
                (categories[a['category_id']], corners(a['bbox']))
                for a in content['annotations']
                if a['image_id'] == image['id'] and not a['iscrowd']
            ]
            objects = [
                (name, box)
                for name, box in objects
                if name in VOCDataset.METAINFO['classes']
            ]
            if not objects:
                continue
            stem = f'{image["id"]:012}'
            stems.append(stem)
            with Image.open(source / f'{part}2017' / image['file_name']) as i:
                i.convert('RGB').save(folder / f'JPEGImages/{stem}.jpg')
            (folder / f'Annotations/{stem}.xml').write_text(
                voc_xml(objects, (image['width'], image['height']))
            )
        assert len(stems) >= 2
        listing = folder / f'ImageSets/Main/{split}.txt'
        listing.write_text('\n'.join(stems) + '\n')
    return root


def corners(box: list[float]) -> tuple[int, ...]:
    x, y, width, height = box
    return tuple(round(value) for value in (x, y, x + width, y + height))


def small(name: str) -> dict:
    """Small images, few regions, two steps."""
    options = {
        'train_cfg.max_iters': 2,
        'train_cfg.val_interval': 2,
        'default_hooks.precise_bn.num_images': 4,
        'default_hooks.logger.interval': 1,
    }
    for loader in ('train', 'val', 'test'):
        options[f'{loader}_dataloader.num_workers'] = 0
        options[f'{loader}_dataloader.persistent_workers'] = False
    for loader in ('val', 'test'):
        options[f'{loader}_dataloader.dataset.pipeline.1.scale'] = SCALE
        options[f'{loader}_dataloader.dataset.indices'] = 4
    if 'retinanet' in name:
        return options | {'model.test_cfg.score_thr': 0.0}
    return options | {
        'model.train_cfg.rpn_proposal.max_per_img': 32,
        'model.train_cfg.rcnn.sampler.num': 16,
        'model.test_cfg.rpn.max_per_img': 16,
        'model.test_cfg.rcnn.max_per_img': 8,
        # Two steps make no box that scores more than the usual 0.05.
        'model.test_cfg.rcnn.score_thr': 0.0,
    }


def coco_paths(coco: Path) -> dict:
    labels = str(coco / 'annotations/instances_val2017.json')
    return {
        'train_dataloader.dataset.data_root': str(coco),
        'val_dataloader.dataset.data_root': str(coco),
        'test_dataloader.dataset.data_root': str(coco),
        'val_evaluator.ann_file': labels,
        'test_evaluator.ann_file': labels,
        'train_dataloader.dataset.pipeline.2.scales': [SCALE],
    }


def voc_paths(voc: Path) -> dict:
    train = 'train_dataloader.dataset.datasets'
    return {
        f'{train}.0.data_root': str(voc),
        f'{train}.1.data_root': str(voc),
        'val_dataloader.dataset.data_root': str(voc),
        'test_dataloader.dataset.data_root': str(voc),
        f'{train}.0.pipeline.2.scales': [SCALE],
        f'{train}.1.pipeline.2.scales': [SCALE],
    }


@pytest.mark.parametrize('name', FAMILIES)
def test_two_steps_and_an_evaluation(
    root, photos, request, backbone, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    if name.startswith('voc'):
        paths = voc_paths(request.getfixturevalue('voc_of_photographs'))
    else:
        paths = coco_paths(photos / 'coco32')
    model = launch.train(
        str(root / CONFIGS / f'{name}.py'),
        work_dir='run',
        cfg_options=small(name) | paths | dict(pretrained=str(backbone)),
    )
    hub = MessageHub.get_current_instance()
    report = hub.get_info('pretrained_backbone')
    assert report['missing_keys'] == report['unexpected_keys'] == []
    assert report['loaded_keys'] == len(ResNet(depth=50).state_dict())
    lines = next(Path('run').glob('*/vis_data/scalars.json')).read_text()
    records = [json.loads(line) for line in lines.splitlines()]
    losses = [record['loss'] for record in records if 'loss' in record]
    assert len(losses) == 2 and all(0 < loss < 1e4 for loss in losses)
    assert Path('run/iter_2.pth').is_file()
    figures = records[-1]
    for kind in FAMILIES[name]:
        assert -1 <= figures[f'coco/{kind}_mAP_50'] <= 1
    if name.startswith('voc'):
        assert 0 <= figures['pascal_voc/AP50'] <= 1
    # The first layer moves, so everything behind it had its gradient too.
    loaded = torch.load(backbone, weights_only=True)['state_dict']
    first = model.backbone.conv1.weight
    assert not torch.equal(first.cpu(), loaded['conv1.weight'])
    torch.testing.assert_close(
        first.cpu(), loaded['conv1.weight'], rtol=0.1, atol=0.01
    )
    assert all(v.isfinite().all() for v in model.state_dict().values())
