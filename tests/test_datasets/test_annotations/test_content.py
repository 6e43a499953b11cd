"""What stands in an annotation file, one fault at a time."""

import json

import pytest

from mmselfemd.datasets.annotations import (
    KINDS,
    MENDED,
    SAID,
    STOP,
    check_file,
)


def annotation(labels, number=0):
    return labels.content['annotations'][number]


def set_in(part, number, **values):
    """A spoiling: sets values of an item of the file."""

    def spoil(content):
        content[part][number].update(values)

    return spoil


def drop_in(part, number, name):
    def spoil(content):
        del content[part][number][name]

    return spoil


def set_all(part, change):
    """A spoiling: changes every item."""

    def spoil(content):
        for item in content[part]:
            change(item)

    return spoil


def normalise(item):
    x, y, width, height = item['bbox']
    item['bbox'] = [x / 120, y / 80, width / 120, height / 80]


def to_corners(item):
    x, y, width, height = item['bbox']
    item['bbox'] = [x, y, x + width, y + height]


def to_centre(item):
    x, y, width, height = item['bbox']
    item['bbox'] = [x + width / 2, y + height / 2, width, height]


def append(part, **values):
    def spoil(content):
        item = dict(content[part][-1])
        item['id'] += 1
        content[part].append(item | values)

    return spoil


def box(*numbers):
    return set_in('annotations', 4, bbox=list(numbers), area=400)


def simple_crowds(content):
    outline = [10, 10, 30, 10, 30, 30, 10, 30]
    for item in content['annotations'][:8]:
        item.update(iscrowd=1, segmentation=[outline])


FAULTS = {
    'images missing': (lambda c: c.pop('images'), 'not-coco', '"images"'),
    'categories missing': (
        lambda c: c.pop('categories'),
        'not-coco',
        'no "categories"',
    ),
    'annotations missing': (
        lambda c: c.pop('annotations'),
        'no-annotations',
        'images, categories',
    ),
    'images no list': (
        lambda c: c.update(images={'1': {}}),
        'not-coco',
        '"images" is a dict',
    ),
    'annotations null': (
        lambda c: c.update(annotations=None),
        'not-coco',
        '"annotations" is a NoneType',
    ),
    'annotations of numbers': (
        lambda c: c['annotations'].append(7),
        'not-coco',
        '7, which is no object',
    ),
    'category without name': (
        drop_in('categories', 1, 'name'),
        'not-coco',
        'category 2: name None',
    ),
    'image without id': (
        drop_in('images', 2, 'id'),
        'id-missing',
        'number 2 in the list of image',
    ),
    'annotation without id': (
        drop_in('annotations', 2, 'id'),
        'id-missing',
        'number 2 in the list of annotation',
    ),
    'category without id': (
        drop_in('categories', 0, 'id'),
        'id-missing',
        'number 0 in the list of category',
    ),
    'image id as text': (
        set_in('images', 0, id='1'),
        'id-not-integer',
        "image '1'",
    ),
    'annotation id with a point': (
        set_in('annotations', 0, id=1.0),
        'id-not-integer',
        'annotation 1.0',
    ),
    'annotation id true': (
        set_in('annotations', 0, id=True),
        'id-not-integer',
        'annotation True',
    ),
    'category id as text': (
        set_in('categories', 0, id='a'),
        'id-not-integer',
        "category 'a'",
    ),
    # datumaro 1.13.12 gives a new box the highest id in use.
    'annotation id twice': (
        append('annotations', id=48),
        'id-twice',
        'annotation 48: 2 times',
    ),
    'image id twice': (
        append('images', id=6, file_name='5.jpg'),
        'id-twice',
        'image 6: 2 times',
    ),
    'category id twice': (
        append('categories', id=2, name='cow'),
        'id-twice',
        'category 2',
    ),
    'category name twice': (
        append('categories', name='dog'),
        'category-twice',
        "'dog' (id 2)",
    ),
    'image_id of none': (
        set_in('annotations', 3, image_id=99),
        'image-id-unknown',
        'annotation 4: image_id 99',
    ),
    'image_id as text': (
        set_in('annotations', 3, image_id='1'),
        'image-id-unknown',
        "image_id '1'",
    ),
    'image_id missing': (
        drop_in('annotations', 3, 'image_id'),
        'image-id-unknown',
        'image_id None',
    ),
    # Categories counted from 1, boxes from 0, as YOLO does it.
    'category_id of none': (
        set_in('annotations', 3, category_id=0),
        'category-id-unknown',
        'annotation 4: category_id 0',
    ),
    'category_id with a point': (
        set_in('annotations', 3, category_id=1.0),
        'category-id-unknown',
        'category_id 1.0',
    ),
    'bbox missing': (
        drop_in('annotations', 4, 'bbox'),
        'box-shape',
        'annotation 5 of image 1: bbox None',
    ),
    'bbox empty': (box(), 'box-shape', 'bbox []'),
    'bbox of three': (box(1, 2, 3), 'box-shape', 'bbox [1, 2, 3]'),
    'bbox of six': (box(1, 2, 3, 4, 5, 6), 'box-shape', '5, 6]'),
    'bbox of text': (box('1', '2', '3', '4'), 'box-shape', "['1'"),
    'bbox an object': (
        set_in('annotations', 4, bbox=dict(x=1, y=2)),
        'box-shape',
        "{'x': 1",
    ),
    'bbox NaN': (
        box(1, float('nan'), 3, 4),
        'box-not-finite',
        'annotation 5 of image 1',
    ),
    'bbox infinite': (box(1, 2, float('inf'), 4), 'box-not-finite', 'inf'),
    'bbox negative': (box(50, 50, -20, 20), 'box-size', '-20'),
    'bbox flat': (box(50, 50, 20, 0), 'box-size', '[50.0, 50.0, 20.0, 0.0]'),
    'bbox outside': (box(130, 10, 20, 20), 'box-outside', '120 x 80'),
    'bbox above': (box(10, -30, 20, 20), 'box-outside', '-30'),
    'bboxes normalised': (
        set_all('annotations', normalise),
        'boxes-normalised',
        'annotation 1 ',
    ),
    'bboxes normalised, with rounding': (
        lambda c: (
            set_all('annotations', normalise)(c),
            box(0, 0, 1.00001, 1)(c),
        ),
        'boxes-normalised',
        'annotation 1 ',
    ),
    'bboxes normalised in a part': (  # of two data sets that were merged
        lambda c: [normalise(item) for item in c['annotations'][10:20]],
        'boxes-normalised',
        'annotation 11 ',
    ),
    'panoptic': (
        set_all('annotations', lambda item: item.update(segments_info=[])),
        'not-coco',
        'panoptic segmentation',
    ),
    'bboxes as corners': (
        set_all('annotations', to_corners),
        'boxes-corners',
        'annotation 1 ',
    ),
    'bboxes as centre and size': (
        set_all('annotations', to_centre),
        'boxes-centred',
        'annotation 1 ',
    ),
    'area of a whole image': (
        set_in('annotations', 4, area=9600),
        'area-senseless',
        'annotation 5 ',
    ),
    'area as a share': (
        set_in('annotations', 4, area=0.25),
        'area-senseless',
        'annotation 5 ',
    ),
    'bbox partly outside': (
        box(-5, 10, 20, 20),
        'box-partly-outside',
        'annotation 5 of image 1',
    ),
    # globox and labelme2coco count annotations from 0.
    'annotation id 0': (
        set_in('annotations', 0, id=0),
        'annotation-id-zero',
        'annotation 0 of image 1',
    ),
    'iscrowd missing': (
        set_all('annotations', lambda item: item.pop('iscrowd')),
        'iscrowd-missing',
        'annotation 1 ',
    ),
    'iscrowd as text': (
        set_in('annotations', 4, iscrowd='0'),
        'iscrowd-value',
        "annotation 5: iscrowd '0'",
    ),
    'iscrowd 2': (
        set_in('annotations', 4, iscrowd=2),
        'iscrowd-value',
        'iscrowd 2',
    ),
    'area missing': (
        drop_in('annotations', 4, 'area'),
        'area-missing',
        'annotation 5 ',
    ),
    'area null': (
        set_in('annotations', 4, area=None),
        'area-missing',
        'annotation 5 ',
    ),
    'area 0': (
        set_in('annotations', 4, area=0),
        'area-missing',
        'annotation 5 ',
    ),
    'bbox under a pixel': (
        box(10, 10, 0.5, 20),
        'box-under-pixel',
        '[10.0, 10.0, 0.5, 20.0]',
    ),
    'bbox small': (box(10, 10, 5, 20), 'box-small', 'annotation 5 '),
    # pylabel 0.1.55 repeats a box for each image without one.
    'bbox twice': (append('annotations'), 'box-twice', 'annotation 49 '),
    # supervision 0.31.2 and datumaro 1.13.12.
    'crowds of one part': (simple_crowds, 'crowd-simple', 'annotation 1 '),
    # globox 2.9.0; COCO numbers its crowds so.
    'crowd by its number': (
        set_in('annotations', 4, id=900100000139),
        'crowd-lost',
        'annotation 900100000139',
    ),
    'crowd by its mask': (
        set_in(
            'annotations',
            4,
            segmentation=dict(size=[80, 120], counts=[9000, 600]),
        ),
        'crowd-lost',
        'annotation 5 ',
    ),
    'image without box': (
        set_all(
            'annotations',
            lambda item: item.update(image_id=max(item['image_id'], 2)),
        ),
        'image-without-box',
        "image 1 ('1.jpg', 120 x 80)",
    ),
    'file_name null': (  # kwcoco
        set_in('images', 0, file_name=None),
        'file-name-missing',
        'image 1: file_name None',
    ),
    'file_name empty': (
        set_in('images', 0, file_name=''),
        'file-name-missing',
        "file_name ''",
    ),
    'width missing': (
        drop_in('images', 0, 'width'),
        'image-size-missing',
        'width None, height 80',
    ),
    'height as text': (
        set_in('images', 0, height='80'),
        'image-size-missing',
        "height '80'",
    ),
    'width 0': (
        set_in('images', 0, width=0),
        'image-size-missing',
        'width 0',
    ),
    'no annotation': (
        lambda c: c.update(annotations=[]),
        'no-box',
        '6 images, 0 annotations',
    ),
    'all ignored': (
        set_all('annotations', lambda item: item.update(ignore=1)),
        'no-box',
        '48 annotations',
    ),
    'all crowd': (
        set_all('annotations', lambda item: item.update(iscrowd=1)),
        'all-crowd',
        'all 48',
    ),
    'rare class': (
        set_all(
            'annotations',
            lambda item: item.update(category_id=2 - (item['id'] > 1)),
        ),
        'class-rare',
        "'dog': 1",
    ),
}
TOGETHER = {  # one fault that is several
    'bbox under a pixel': {'box-small'},
    'all ignored': {'class-rare', 'image-without-box'},
    'bboxes as corners': {'area-missing'},
    'crowds of one part': {'class-rare'},
    'image id twice': {'file-twice'},
}


@pytest.mark.parametrize('name', FAULTS)
def test_a_fault_is_told_with_its_place(labels, name):
    spoil, kind, place = FAULTS[name]
    spoil(labels.content)
    found = labels.check()
    assert kind in found, found
    assert place in found[kind].places[0]
    text = str(found[kind])
    assert KINDS[kind].what in text and KINDS[kind].advice in text
    others = found.keys() - {kind} - TOGETHER.get(name, set())
    assert all(KINDS[k].level == SAID for k in others), others
    if KINDS[kind].level == STOP:
        assert not [k for k in others if KINDS[k].level == MENDED]


def test_a_correct_file_passes_without_a_word(labels):
    assert labels.check() == {}
    assert labels.check(classes=['cat', 'dog']) == {}


@pytest.mark.parametrize(
    'text', ['', '{"images": [', 'images: []', '<annotation/>', '[' * 10**5]
)
def test_what_is_no_json(labels, text):
    labels.file.write_text(text)
    (finding,) = check_file(str(labels.file))
    assert finding.kind.name == 'not-json'
    assert finding.places[0]


def test_a_list_is_not_cocos_shape(labels):
    labels.content = [labels.content]
    assert 'holds a list' in labels.check()['not-coco'].places[0]


def test_a_byte_order_mark_is_no_fault(labels):
    labels.file.write_text(json.dumps(labels.content), encoding='utf-8-sig')
    assert not list(check_file(str(labels.file), str(labels.images)))


def test_all_faults_are_told_at_once_the_first_three_of_each(labels):
    for item in labels.content['annotations'][:5]:
        item['bbox'] = [1, 2, 3]
    labels.content['annotations'][6]['image_id'] = 77
    del labels.content['annotations'][7]['area']
    found = labels.check()
    assert {'box-shape', 'image-id-unknown', 'area-missing'} <= found.keys()
    text = str(found['box-shape'])
    assert 'annotation 3 of' in text and 'annotation 4 of' not in text
    assert 'and 2 more' in text
    assert len(found['box-shape'].places) == 5


def test_cocos_own_two_flat_boxes_do_not_stop_it(labels):
    """train2017 has two boxes of no height among 860,001."""
    annotations = labels.content['annotations']
    annotations[0]['bbox'][3] = 0
    template = annotations[1]
    for number in range(10_000, 30_000):
        box = [1 + number % 97 / 7, 1 + number % 89 / 9, 30.0, 31.0]
        annotations.append(template | dict(id=number, bbox=box))
    found = labels.check()
    assert KINDS['box-size-few'].level == SAID
    assert found['box-size-few'].places[0].startswith('annotation 1 ')
    assert 'box-size' not in found


def test_rounding_at_the_border_is_no_fault(labels):
    labels.content['annotations'][0]['bbox'] = [80, 40, 40.4, 40.2]
    assert labels.check() == {}


def test_a_tiny_box_in_the_corner_is_not_taken_for_a_normalised_one(labels):
    labels.content['annotations'][4]['bbox'] = [0, 0, 0.5, 0.5]
    assert KINDS['box-under-pixel'].level == SAID
    assert labels.check().keys() == {'box-under-pixel'}


def test_boxes_that_may_be_corners_are_left_alone(labels):
    """A box in the upper left corner is both."""
    for item in labels.content['annotations']:
        item['bbox'] = [1 + item['id'] / 8, 2, 60, 30]
        item['area'] = 1800
    assert labels.check() == {}


def test_some_boxes_beyond_the_border_are_not_taken_for_centred(labels):
    """What people draw there begins at the other borders, too."""
    for item in labels.content['annotations'][:9]:
        item['bbox'] = [100, 60, 30, 30]
        item['area'] = 900
    assert 'boxes-centred' not in labels.check()


def test_an_equal_box_of_another_class_or_image_is_not_twice(labels):
    first, second, *_ = labels.content['annotations']
    (other,) = [a for a in labels.content['annotations'] if a['id'] == 9]
    assert first['category_id'] != second['category_id']
    assert first['image_id'] != other['image_id']
    for item in (second, other):
        item.update(bbox=first['bbox'], area=first['area'])
    assert labels.check() == {}
    second['category_id'] = first['category_id']
    (place,) = labels.check()['box-twice'].places
    assert place.startswith('annotation 2 of image 1 ')


def test_a_box_of_8_pixels_is_not_small(labels):
    labels.content['annotations'][4].update(bbox=[10, 10, 8, 20], area=160)
    assert labels.check() == {}
    labels.content['annotations'][4].update(bbox=[10, 10, 7.9, 20], area=158)
    assert labels.check().keys() == {'box-small'}


def test_a_real_crowd_is_no_fault(labels):
    labels.content['annotations'][0].update(
        iscrowd=1, segmentation=dict(size=[80, 120], counts=[100, 9500])
    )
    assert labels.check() == {}


def test_every_crowd_in_two_parts_of_a_mask_is_said(labels):
    for item in labels.content['annotations'][:6]:
        counts = [2000, 30, 50, 30, 2000, 30, 5460]
        item.update(
            iscrowd=1, segmentation=dict(size=[80, 120], counts=counts)
        )
    assert 'crowd-simple' in labels.check()


def test_image_ids_and_category_ids_from_0_are_no_fault(labels):
    """As labelme2coco and Label Studio, and who comes from YOLO, count."""
    for item in labels.content['images'] + labels.content['categories']:
        item['id'] -= 1
    for item in labels.content['annotations']:
        item['image_id'] -= 1
        item['category_id'] -= 1
    assert labels.check(classes=['cat', 'dog']) == {}


def test_every_kind_of_a_file_alone_is_among_these():
    """Those of images, classes and several files have their own tests."""
    told = {kind for _, kind, _ in FAULTS.values()}
    elsewhere = {'not-json', 'box-size-few'} | {
        name
        for name in KINDS
        if name.startswith(
            (
                'file-',
                'size-',
                'image-',
                'class',
                'num-',
                'name-',
                'evaluator',
                'mask-',
            )
        )
    }
    assert KINDS.keys() - told - elsewhere == {
        'not-checked',
        'category-unnamed',
    }
    assert len(FAULTS) >= 46
