"""VOC with its two evaluators, and a few of COCO's labels."""

import json
from pathlib import Path

import mmdet
import pytest
from forked_scripts import run_script
from mmengine.config import Config

from mmselfemd.engine import launch

CONFIGS = 'configs/detection'
SPLITTER = Path(mmdet.__file__).parent / '.mim/tools/misc/split_coco.py'


@pytest.mark.slow
def test_voc_is_trained_on_and_read_by_two_evaluators(
    root, voc, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    options = {
        'train_dataloader.dataset.datasets.0.data_root': str(voc),
        'train_dataloader.dataset.datasets.1.data_root': str(voc),
        'val_dataloader.dataset.data_root': str(voc),
        'test_dataloader.dataset.data_root': str(voc),
        'val_dataloader.dataset.pipeline.1.scale': (96, 64),
        'test_dataloader.dataset.pipeline.1.scale': (96, 64),
    }
    for part in (0, 1):
        path = f'train_dataloader.dataset.datasets.{part}.pipeline.2.scales'
        options[path] = [(96, 64)]
    for loader in ('train', 'val', 'test'):
        options[f'{loader}_dataloader.num_workers'] = 0
        options[f'{loader}_dataloader.persistent_workers'] = False
    options |= {
        'pretrained': None,
        'model.backbone.depth': 18,
        'model.neck.in_channels': [64, 128, 256, 512],
        'model.train_cfg.rpn_proposal.max_per_img': 20,
        'model.test_cfg.rcnn.score_thr': 0.0,
        'train_cfg.max_iters': 2,
        'default_hooks.precise_bn.num_images': 4,
    }
    name = 'voc0712/faster-rcnn_r50_fpn_syncbn_24k_voc0712.py'
    config = str(root / CONFIGS / name)
    model = launch.train(config, work_dir='run', cfg_options=options)
    assert model.roi_head.bbox_head.num_classes == 20
    figures = launch.test(
        config, 'run/iter_2.pth', work_dir='test', cfg_options=options
    )
    assert {'pascal_voc/mAP', 'pascal_voc/AP50', 'coco/bbox_mAP'} <= (
        figures.keys()
    )
    thresholds = [name for name in figures if 'pascal_voc/AP' in name]
    assert thresholds == [f'pascal_voc/AP{t}' for t in range(50, 96, 5)]


@pytest.fixture
def splits(tmp_path):
    """mmdet's first fold of 1, 2, 5 and 10 % of 1000 images."""
    images = [
        dict(id=number, file_name=f'{number}.jpg', width=9, height=9)
        for number in range(1000)
    ]
    annotations = [dict(id=n, image_id=n, category_id=1) for n in range(1000)]
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations' / 'instances_train2017.json').write_text(
        json.dumps(
            dict(
                images=images,
                annotations=annotations,
                categories=[],
                licenses=[],
                info={},
            )
        )
    )
    done = run_script(
        SPLITTER,
        *('--data-root', tmp_path),
        *('--out-dir', tmp_path / 'semi_anns'),
        *('--fold', '1'),
    )
    assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.mark.parametrize('percent', [None, 1, 5, 10])
def test_share_of_labels_comes_from_the_environment(
    root, splits, monkeypatch, tmp_path, percent
):
    if percent is not None:
        monkeypatch.setenv('PERCENT', str(percent))
    name = 'coco/faster-rcnn_r50_fpn_syncbn_90k_coco_few-labels.py'
    child = tmp_path / 'child.py'
    child.write_text(f'_base_ = {str(root / CONFIGS / name)!r}\n')
    for path in (root / CONFIGS / name, child):
        cfg = Config.fromfile(path)
        # Where mmdet's splitter, by its defaults, has put the labels.
        labels = splits / cfg.train_dataloader.dataset.ann_file
        images = json.loads(labels.read_text())['images']
        # It draws with replacement: some images are drawn twice.
        expected = 10 * (percent or 10)
        assert 0.85 * expected < len(images) <= expected
        assert cfg.work_dir.endswith(f'/{percent or 10}percent_fold1')


def test_fold_comes_from_the_environment_and_nothing_else_changes(
    root, monkeypatch
):
    monkeypatch.setenv('FOLD', '3')
    folder = root / CONFIGS / 'coco'
    base = 'faster-rcnn_r50_fpn_syncbn_90k_coco'
    few = Config.fromfile(folder / f'{base}_few-labels.py')
    whole = Config.fromfile(folder / f'{base}.py')
    assert few.train_dataloader.dataset.ann_file == (
        'semi_anns/instances_train2017.3@10.json'
    )
    assert few.work_dir.endswith('fold3')
    few.train_dataloader.dataset.ann_file = (
        whole.train_dataloader.dataset.ann_file
    )
    few = few.to_dict()
    del few['work_dir']
    assert few == whole.to_dict()
