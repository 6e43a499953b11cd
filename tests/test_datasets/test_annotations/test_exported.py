"""Files that exporters wrote; those of servers in their shape."""

import json
from pathlib import Path

import pytest

from mmselfemd.datasets.annotations import STOP, check_content, check_file

from .conftest import correct_content, write_image

FOLDER = Path(__file__).parents[2] / 'exported_annotations'
FOUND = {
    'datumaro': set(),
    'supervision': set(),
    'labelme2coco': set(),  # category ids from 0
    'globox': {'annotation-id-zero'},
    'kwcoco': {'area-missing', 'iscrowd-missing'},
    'kwcoco_channels': {
        'file-name-missing',
        'area-missing',
        'iscrowd-missing',
    },
    # The names are addresses on its server.
    'label_studio': {'annotation-id-zero', 'file-name-absolute'},
    # Each object behind a pole is a crowd.
    'supervision_masks': {'all-crowd', 'crowd-simple', 'class-rare'},
}


def test_every_file_is_checked():
    assert {path.stem for path in FOLDER.glob('*.json')} == FOUND.keys()


def checked(content, tmp_path):
    """With images of the sizes that it says."""
    for seed, image in enumerate(content['images']):
        name = image['file_name'] or image['name']
        if not name.startswith('/'):
            size = image['width'], image['height']
            write_image(tmp_path / name, seed, size)
    file = tmp_path / 'labels.json'
    file.write_text(json.dumps(content))
    return {f.kind.name for f in check_file(str(file), str(tmp_path))}


@pytest.mark.parametrize('name', FOUND)
def test_what_an_exporter_wrote(name, tmp_path):
    content = json.loads((FOLDER / f'{name}.json').read_text())
    assert checked(content, tmp_path) == FOUND[name]


@pytest.mark.parametrize('name', FOUND)
def test_boxes_are_read_as_they_were_given(name):
    """The first is the same in all."""
    content = json.loads((FOLDER / f'{name}.json').read_text())
    table, _ = check_content(content, name)
    assert table.boxes[0].tolist() == [87, 4, 45, 25]
    assert table.category_names[table.category_index[0]] == 'cat'


def test_label_studios_file_with_names_instead_of_addresses(tmp_path):
    content = json.loads((FOLDER / 'label_studio.json').read_text())
    for image in content['images']:
        image['file_name'] = Path(image['file_name']).name
    assert checked(content, tmp_path) == {'annotation-id-zero'}


def roboflow(content):
    """A category above all others, which has no box."""
    for category in content['categories']:
        category['supercategory'] = 'animals'
    top = dict(id=0, name='animals', supercategory='none')
    content['categories'].insert(0, top)
    for image in content['images']:
        image |= dict(license=1, date_captured='2026-01-01T00:00:00+00:00')


def cvat(content):
    for image in content['images']:
        image |= dict(license=0, flickr_url='', coco_url='', date_captured=0)
    for item in content['annotations']:
        x, y, width, height = map(float, item['bbox'])
        item |= dict(
            segmentation=[],
            bbox=[x, y, width, height],
            area=width * height,
            attributes=dict(occluded=False, rotation=0.0),
        )


def fiftyone(content):
    """It counts classes from 0, and writes masks of objects as outlines."""
    for item in content['categories']:
        item |= dict(id=item['id'] - 1, supercategory=None)
    for item in content['annotations']:
        x, y, width, height = item['bbox']
        outline = [x, y, x + width, y, x + width, y + height, x, y + height]
        item |= dict(
            category_id=item['category_id'] - 1, segmentation=[outline]
        )


@pytest.mark.parametrize('shape', [roboflow, cvat, fiftyone])
def test_a_correct_file_in_the_shape_of_a_servers(shape, tmp_path):
    content = correct_content()
    shape(content)
    assert checked(content, tmp_path) == set()


def test_voc_as_coco(photos):
    folder = photos / 'voc07_256'
    for split in ('train3000', 'val1952'):
        findings = check_file(
            str(folder / 'annotations' / f'instances_{split}.json'),
            str(folder / 'images'),
        )
        assert {finding.kind.name for finding in findings} <= {'box-small'}


def test_coco_itself(photos):
    folder = photos / 'coco343'
    findings = check_file(
        str(folder / 'annotations' / 'instances_train2017.json'),
        str(folder / 'train2017'),
    )
    assert not findings.of_level(STOP)
    assert {finding.kind.name for finding in findings} == {
        'image-without-box',
        'class-rare',
        'box-small',
    }
