"""What a study reads is what its networks were shown."""

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from mmselfemd.engine.launch import load_config
from mmselfemd.study import Reader, readings, save_untrained, untrained_path

CONFIG = (
    Path(__file__).resolve().parents[2]
    / 'configs/small/selfemd_r18_voc256_20e.py'
)


@pytest.fixture(scope='module')
def thermal(tmp_path_factory):
    """A 16-bit image, a box, and the list of images."""
    folder = tmp_path_factory.mktemp('thermal')
    pixels = np.linspace(29_000, 31_000, 120 * 160).reshape(120, 160)
    cv2.imwrite(str(folder / 'a.png'), pixels.astype(np.uint16))
    (folder / 'list.txt').write_text('a.png\n')
    box = dict(
        id=1,
        image_id=1,
        category_id=1,
        bbox=[0, 0, 160, 120],
        area=160 * 120,
        iscrowd=0,
    )
    content = dict(
        images=[dict(id=1, file_name='a.png', width=160, height=120)],
        annotations=[box],
        categories=[dict(id=1, name='warm')],
    )
    (folder / 'boxes.json').write_text(json.dumps(content))
    return folder


def reader_of(folder, **options):
    dataset = dict(data_root=f'{folder}/', data_prefix='', ann_file='list.txt')
    where = {f'val_dataloader.dataset.{k}': v for k, v in dataset.items()}
    cfg = load_config(str(CONFIG), cfg_options=where | options)
    return Reader(cfg, [(folder / 'boxes.json', folder)] * 2)


@pytest.mark.parametrize(
    'options, contrast',
    [({}, (0, 15)), (dict(value_range=(29_000, 31_000)), (240, 255))],
)
def test_boxes_are_cut_of_the_colours_of_the_config(
    thermal, options, contrast
):
    for boxes in reader_of(thermal, **options).boxes:
        found = int(np.ptp(np.asarray(boxes.crops)))
        assert contrast[0] <= found <= contrast[1]


def weights_of(path):
    return torch.load(path, weights_only=True)['state_dict']


def test_each_network_is_read_by_its_own_weights(
    thermal, tmp_path, monkeypatch
):
    seen = []

    def look(backbone, *args, **kwargs):
        seen.append(backbone.state_dict())
        return SimpleNamespace(sums=None)

    monkeypatch.setattr(readings, 'measure_matching', look)
    monkeypatch.setattr(readings, 'read_boxes', look)
    monkeypatch.setattr(readings, 'matching_sums', lambda results: None)
    reader = reader_of(thermal)
    save_untrained(reader.cfg, tmp_path, [0, 1])
    untrained = [untrained_path(tmp_path, seed) for seed in (0, 1)]
    trained = [tmp_path / name for name in ('first.pth', 'second.pth')]
    for factor, path in enumerate(trained, 2):
        weights = weights_of(untrained[0]).items()
        state = {name: factor * value for name, value in weights}
        torch.save(dict(state_dict=state), path)
    for path, which in (
        (trained[0], (trained[0],)),
        (trained[1], (trained[1],)),
        (untrained[0], (None, 0)),
        (untrained[1], (None, 1)),
    ):
        reader.read(*which)
        for name, value in weights_of(path).items():
            for weights in seen:  # those matched, those that read boxes
                assert torch.equal(weights[name], value), name
        assert len(seen) == 2
        seen.clear()
