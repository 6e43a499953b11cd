"""Files that exporters wrote; those of servers in their shape."""

import json
from pathlib import Path

import pytest

from mmselfemd.datasets.annotations import (
    STOP,
    Usage,
    check_content,
    check_file,
    check_usages,
)

from .conftest import correct_content, write_image

FOLDER = Path(__file__).parents[2] / 'exported_annotations'
FOUND = {
    'datumaro': set(),
    'supervision': set(),
    'labelme2coco': set(),  # category ids from 0
    'globox': {'annotation-id-zero'},
    'imantics_train': {'class-rare'},  # half of the images
    'imantics_val': set(),  # by itself; see below
    'kwcoco': {'area-missing', 'iscrowd-missing'},
    'kwcoco_channels': {
        'file-name-missing',
        'area-missing',
        'iscrowd-missing',
    },
    # The names are addresses on its server.
    'label_studio': {'annotation-id-zero', 'file-name-absolute'},
    # Before an image without a box, its box is written again, id and all.
    'pylabel': {'annotation-id-zero', 'id-twice', 'box-twice'},
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


def test_imantics_keeps_the_first_data_set_in_the_second(tmp_path):
    """Validation would be half of what was trained on."""
    files = {}
    for split in ('train', 'val'):
        content = json.loads((FOLDER / f'imantics_{split}.json').read_text())
        checked(content, tmp_path)  # writes the images
        files[split] = tmp_path / f'{split}.json'
        files[split].write_text(json.dumps(content))
        assert len(content['images']) == dict(train=3, val=6)[split]
    for folder, kind in (
        (str(tmp_path), 'image-in-train'),
        (None, 'name-in-train'),
    ):
        (found,) = [
            finding
            for finding in check_usages(
                [Usage(s, str(file), folder) for s, file in files.items()]
            )
            if finding.kind.name.endswith('in-train')
        ]
        assert found.kind.name == kind and found.file == str(files['val'])
        assert len(found.places) == 3
        assert all(
            place.startswith(f"image {n} ('{n}.jpg'")
            for n, place in enumerate(found.places, start=1)
        )


def test_pylabel_repeats_a_box_for_each_image_without_one():
    content = json.loads((FOLDER / 'pylabel.json').read_text())
    _, findings = check_content(content, 'pylabel')
    found = {finding.kind.name: finding for finding in findings}
    (twice,) = found['id-twice'].places
    last = max(item['id'] for item in content['annotations'])
    assert twice == f'annotation {last}: 3 times'
    assert len(found['box-twice'].places) == 2
    assert all(
        place.startswith(f'annotation {last} of image 6 ')
        for place in found['box-twice'].places
    )
    assert 'for every image without one' in str(found['box-twice'])
    # What it says to do leaves a file that can be used.
    content['annotations'] = list(
        {item['id']: item for item in content['annotations']}.values()
    )
    _, findings = check_content(content, 'pylabel')
    assert {finding.kind.name for finding in findings} == {
        'annotation-id-zero',
        'image-without-box',
    }


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
