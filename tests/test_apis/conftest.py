"""Photographs with boxes, and what makes a run of them short."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mmselfemd.datasets.scenes import make_scenes


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few small images are read sooner than processes are started."""
    monkeypatch.setattr('os.sched_getaffinity', lambda pid: {0})


@pytest.fixture(scope='session')
def scenes(tmp_path_factory) -> Path:
    """Made-up photographs of 64 pixels, with boxes and masks."""
    folder = tmp_path_factory.mktemp('data') / 'scenes'
    return make_scenes(folder, num_train=8, num_val=4, size=(64, 64))


@pytest.fixture
def folder(scenes, tmp_path, monkeypatch) -> Path:
    """Where a user works: `photos/`, `train.json` and `val.json`.

    The categories are in another order than their ids, which are no 1 to n.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'photos').mkdir()
    for name, split in (('train', 'train2017'), ('val', 'val2017')):
        file = scenes / 'annotations' / f'instances_{split}.json'
        content = json.loads(file.read_text())
        for image in content['images']:
            path = scenes / split / image['file_name']
            image['file_name'] = f'{name}_{path.name}'
            (tmp_path / 'photos' / image['file_name']).symlink_to(path)
        for category in content['categories']:
            category['id'] = 7 * category['id'] + 3
        for annotation in content['annotations']:
            annotation['category_id'] = 7 * annotation['category_id'] + 3
        content['categories'].reverse()
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    return tmp_path


NARROW = """
# A network and views that a test has time for.
_base_.model.backbone.update(stem_channels=8, base_channels=8)
_base_.model.neck[0].update(hidden_channels=16, out_channels=8)
_base_.model.head.update(in_channels=8, hidden_channels=16)
for view in _base_.train_dataloader.dataset.pipeline[1]['views']:
    view.size = 64
del view
train_dataloader['num_workers'] = 0
val_dataloader = test_dataloader = val_evaluator = test_evaluator = None
val_cfg = test_cfg = None
"""

SMALL = """
# Images and heads that a test has time for.
size = dict(type='Resize', scale=(64, 64), keep_ratio=True)
_base_.train_dataloader.dataset.pipeline[2] = size
_base_.val_dataloader.dataset.pipeline[1] = size
_base_.model.train_cfg.rpn_proposal.max_per_img = 20
_base_.model.train_cfg.rcnn.sampler.num = 16
_base_.model.test_cfg.rpn.max_per_img = 20
_base_.model.neck.out_channels = 16
_base_.model.rpn_head.update(in_channels=16, feat_channels=16)
_base_.model.roi_head.bbox_roi_extractor.out_channels = 16
_base_.model.roi_head.bbox_head.update(
    in_channels=16, conv_out_channels=16, fc_out_channels=16
)
train_dataloader['num_workers'] = val_dataloader['num_workers'] = 0
"""


@pytest.fixture
def narrow() -> Callable[[str, int], None]:
    """What changes the config of a pre-training as a user does."""

    def change(config: str, channels: int) -> None:
        with open(config, 'a') as file:
            file.write(NARROW)
            file.write(f'_base_.model.neck[0].in_channels = {channels}\n')

    return change


@pytest.fixture
def small() -> Callable[[str], None]:
    """What changes the config of a fine-tuning as a user does."""

    def change(config: str) -> None:
        with open(config, 'a') as file:
            file.write(SMALL)

    return change
