"""What a study reads is what its networks were shown."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmselfemd.engine.launch import load_config
from mmselfemd.study import Reader

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


@pytest.mark.parametrize(
    'options, contrast',
    [({}, (0, 15)), (dict(value_range=(29_000, 31_000)), (240, 255))],
)
def test_boxes_are_cut_of_the_colours_of_the_config(
    thermal, options, contrast
):
    dataset = dict(
        data_root=f'{thermal}/', data_prefix='', ann_file='list.txt'
    )
    where = {f'val_dataloader.dataset.{k}': v for k, v in dataset.items()}
    cfg = load_config(str(CONFIG), cfg_options=where | options)
    reader = Reader(cfg, [(thermal / 'boxes.json', thermal)] * 2)
    for boxes in reader.boxes:
        found = int(np.ptp(np.asarray(boxes.crops)))
        assert contrast[0] <= found <= contrast[1]
