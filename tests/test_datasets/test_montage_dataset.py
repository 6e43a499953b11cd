"""Objects of a COCO file, four to a picture."""

import json

import cv2
import numpy as np
import pytest

from mmselfemd.datasets import (
    MontageDataset,
    ObjectDataset,
    RandomScale,
    SeededDataset,
    StitchMontage,
)
from mmselfemd.datasets.montage_dataset import group_by_shape
from mmselfemd.datasets.transforms.montage import montage_regions
from mmselfemd.errors import UserError, UserValueError

LOAD = [dict(type='LoadImage'), dict(type='CropSample')]
AUGMENT = [dict(type='RandomScale'), dict(type='RandomFlip', prob=0.5)]
STITCH = [dict(type='StitchMontage', size=112, corner=32)]
# By category: width and height. Squares of two sizes, a tall and a wide one.
SHAPES = [(20, 20), (60, 50), (20, 60), (80, 30)]


@pytest.fixture
def data(tmp_path):
    """Eight images of one colour each, with a box of each shape."""
    (tmp_path / 'images').mkdir()
    content = dict(
        images=[],
        annotations=[],
        categories=[dict(id=9 - n, name=f'class{n}') for n in range(4)],
    )
    for number in range(1, 9):
        name = f'{number}.png'
        image = np.full((120, 160, 3), 20 * number, np.uint8)
        cv2.imwrite(str(tmp_path / 'images' / name), image)
        content['images'].append(
            dict(id=number, file_name=name, width=160, height=120)
        )
        for label, (width, height) in enumerate(SHAPES):
            content['annotations'].append(
                dict(
                    id=len(content['annotations']) + 1,
                    image_id=number,
                    category_id=9 - label,
                    bbox=[10 + label, 20, width, height],
                    area=width * height,
                    iscrowd=0,
                )
            )
    (tmp_path / 'labels.json').write_text(json.dumps(content))
    return tmp_path


def objects(data, pipeline=LOAD, **options):
    options = dict(context=0, background=0) | options
    return ObjectDataset(
        'labels.json',
        str(data),
        data_prefix=dict(img='images/'),
        pipeline=pipeline,
        **options,
    )


def rewrite(data, change):
    content = json.loads((data / 'labels.json').read_text())
    change(content)
    (data / 'labels.json').write_text(json.dumps(content))


def test_an_item_is_a_part_of_its_image(data, our_scope):
    dataset = objects(data)
    assert len(dataset) == 32
    assert dataset.metainfo['classes'] == tuple(f'class{n}' for n in range(4))
    assert dataset.sizes[:4].tolist() == [list(shape) for shape in SHAPES]
    item = dataset[5]
    assert item['box'] == (11, 20, 60, 50)
    assert (item['gt_label'], item['sample_idx']) == (1, 5)
    assert item['img'].shape == (50, 60, 3) and (item['img'] == 40).all()
    assert item['img_path'] == str(data / 'images' / '2.png')
    assert dataset.get_data_info(-1)['sample_idx'] == 31


def test_classes_give_the_labels(data, our_scope):
    classes = ('class2', 'class0')
    dataset = objects(data, metainfo=dict(classes=classes), background=0.25)
    assert dataset.metainfo['classes'] == classes
    labels = [dataset.get_data_info(n)['gt_label'] for n in range(20)]
    assert labels == [1, 0] * 8 + [2] * 4
    assert len(objects(data, indices=7)) == 7
    picked = objects(data, indices=[30, 2])
    assert picked.get_data_info(0)['img_path'].endswith('8.png')


def test_a_file_that_would_be_learnt_wrong_stops(data, our_scope):
    with pytest.raises(UserError, match=r'class-unknown|no such|catt'):
        objects(data, metainfo=dict(classes=('catt',)))
    rewrite(data, lambda c: c['annotations'][0].update(bbox=[500, 0, 9, 9]))
    with pytest.raises(UserError, match='outside'):
        objects(data)


def test_an_image_of_another_size_is_said(data, our_scope):
    dataset = objects(data)
    cv2.imwrite(
        str(data / 'images' / '1.png'), np.zeros((30, 30, 3), np.uint8)
    )
    with pytest.raises(UserValueError, match='1.png is 30 x 30 pixels'):
        dataset[1]


def test_groups_are_those_of_the_paper():
    sizes = np.array([(50, 100), (49, 100), (150, 100), (151, 100), (1, 1)])
    groups = group_by_shape(sizes)
    assert {name: g.tolist() for name, g in groups.items()} == dict(
        square=[0, 2, 4], tall=[1], wide=[3]
    )


@pytest.mark.parametrize(('size', 'corner'), [(224, 64), (10, 5), (7, 1)])
def test_regions_tile_the_montage(size, corner):
    covered = np.zeros((size, size), int)
    regions = montage_regions(size, corner)
    for left, top, width, height in regions:
        covered[top : top + height, left : left + width] += 1
    assert (covered == 1).all()
    (_, _, *small), (_, _, *wide), (_, _, *tall), (_, _, *large) = regions
    assert small == [corner, corner] and large == [size - corner] * 2
    assert wide == tall[::-1] == [size - corner, corner]


@pytest.mark.parametrize('corner', [0, 113])
def test_a_corner_that_is_not_the_smallest_region_is_refused(corner):
    with pytest.raises(UserValueError, match='side of 1 to 112'):
        StitchMontage(224, corner)


def ramp(height, width):
    """Every pixel tells where it is from: row, column, 255."""
    image = np.full((height, width, 3), 255, np.uint8)
    image[..., 0] = np.arange(height)[:, None]
    image[..., 1] = np.arange(width)
    return image


def stitch(images, **options):
    samples = [dict(img=i, gt_label=n) for n, i in enumerate(images)]
    return StitchMontage(**options)(dict(samples=samples))


def test_each_sample_is_where_it_should_be():
    """Cropped where it is longer than its region, black around it else."""
    sizes = [(40, 20), (200, 10), (32, 80), (90, 70)]  # height, width
    seen = []
    for seed in range(20):
        np.random.seed(seed)
        found = stitch([ramp(*s) for s in sizes], size=112, corner=32)
        assert found['gt_label'] == [0, 1, 2, 3]
        assert found['regions'] == montage_regions(112, 32)
        assert found['img'].shape == (112, 112, 3)
        for (left, top, width, height), (rows, columns) in zip(
            found['regions'], sizes, strict=True
        ):
            part = found['img'][top : top + height, left : left + width]
            filled = part[..., 2] == 255
            lines, across = filled.any(1), filled.any(0)
            assert lines.sum() == min(rows, height)
            assert across.sum() == min(columns, width)
            assert filled.sum() == lines.sum() * across.sum()  # a rectangle
            assert (part[~filled] == 0).all()
            pixels = part[lines][:, across]
            # As many rows in order, from wherever; neither warped nor turned.
            row, column = pixels[0, 0, :2].tolist()
            shown = ramp(rows, columns)
            expected = shown[row : row + height, column : column + width]
            assert np.array_equal(pixels, expected)
            assert row <= max(rows - height, 0)
            seen.append((rows, row, int(lines.argmax())))
    # Crop and place are both random.
    assert len({row for rows, row, _ in seen if rows == 200}) > 5
    places = {place for rows, _, place in seen if rows == 32}
    assert len(places) > 5


def test_shapes_go_to_their_regions(data, our_scope):
    dataset = MontageDataset(objects(data), STITCH)
    assert len(dataset) == 8 and dataset.metainfo['classes'][0] == 'class0'
    shown = set()
    for index in range(30):
        np.random.seed(index)
        found = dataset[index % 8]
        small, wide, tall, large = found['gt_label']
        assert (wide, tall) == (3, 2)
        assert small in (0, 1) and large in (0, 1) and small <= large
        shown.add((small, large))
        # The image's number is its grey: none is mixed with another.
        for left, top, width, height in found['regions']:
            part = found['img'][top : top + height, left : left + width]
            assert len(set(part[part > 0].tolist())) == 1
    assert shown == {(0, 0), (0, 1), (1, 1)}


def test_the_length_of_an_epoch(data, our_scope):
    assert len(MontageDataset(objects(data, indices=29), STITCH)) == 8
    dataset = MontageDataset(objects(data), STITCH, length=3)
    assert len(dataset) == len(list(dataset)) == 3
    with pytest.raises(UserValueError, match='length=0'):
        MontageDataset(objects(data), STITCH, length=0)


def test_a_montage_is_the_same_by_seed_and_number(data, our_scope):
    def montages(seed):
        inner = objects(data, [*LOAD, *AUGMENT], context=1.0, background=0.1)
        dataset = SeededDataset(MontageDataset(inner, STITCH), seed)
        return [dataset[index]['img'] for index in (5, 2, 5)]

    first, again, other = montages(0), montages(0), montages(1)
    assert np.array_equal(first, again)
    assert np.array_equal(first[0], first[2])
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, other)


def test_a_missing_group_is_replaced_and_said(data, our_scope, logged):
    keep = dict(metainfo=dict(classes=('class0', 'class1', 'class2')))
    dataset = MontageDataset(objects(data, **keep), STITCH)
    assert any('no wide sample among 24' in line for line in logged)
    found = {dataset[n % 6]['gt_label'][1] for n in range(40)}
    assert found == {0, 1, 2}


def test_broken_images_are_drawn_again(data, our_scope):
    for number in range(1, 8):
        (data / 'images' / f'{number}.png').write_bytes(b'no image')
    pipeline = [dict(type='LoadImage', max_broken_share=1), LOAD[1]]
    inner = objects(data, pipeline)
    found = MontageDataset(inner, STITCH)[0]['img']
    assert set(found[found > 0].tolist()) == {160}
    (data / 'images' / '8.png').write_bytes(b'no image')
    with pytest.raises(UserError, match='4 images in a row'):
        MontageDataset(inner, STITCH, max_refetch=3)[0]


def test_scale_keeps_the_shape():
    scales = []
    for _ in range(50):
        found = RandomScale()(dict(img=ramp(60, 90)))
        height, width = found['img'].shape[:2]
        assert (height, width) == found['img_shape']
        assert height == pytest.approx(60 * found['scale'], abs=0.6)
        assert width == pytest.approx(90 * found['scale'], abs=0.6)
        scales.append(found['scale'])
    assert 0.8 <= min(scales) < 0.9 and 1.4 < max(scales) <= 1.5
    assert RandomScale((0.1, 0.1))(dict(img=ramp(2, 2)))['img'].size == 3
    with pytest.raises(UserValueError, match='scale_range'):
        RandomScale((0, 1))


def test_one_broken_image_of_a_small_group_stops_nothing(data, our_scope):
    file = data / 'labels.json'
    content = json.loads(file.read_text())
    content['annotations'] = [
        each
        for each in content['annotations']
        if each['image_id'] == 1 or each['category_id'] != 6  # the wide ones
    ]
    file.write_text(json.dumps(content))
    (data / 'images' / '1.png').write_bytes(b'no image')
    dataset = MontageDataset(objects(data), STITCH, length=200)
    for montage in map(dataset.__getitem__, range(200)):
        assert montage['img'].any()


@pytest.mark.parametrize(
    'change',
    [dict(context=-1), dict(context=float('nan')), dict(background=-0.1)],
)
def test_a_setting_that_cannot_be_is_refused(data, our_scope, change):
    with pytest.raises(UserValueError, match=next(iter(change))):
        objects(data, **change).full_init()
    with pytest.raises(UserValueError, match='no sample'):
        MontageDataset(objects(data, indices=0), STITCH)
