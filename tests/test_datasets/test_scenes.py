import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from pycocotools.coco import COCO

from mmselfemd.datasets.scene_grounds import GROUNDS
from mmselfemd.datasets.scene_objects import OBJECT_CLASSES
from mmselfemd.datasets.scene_renderer import _Canvas, _coverage, _Pose
from mmselfemd.datasets.scenes import SCENE_CLASSES, make_scenes

NUM_TRAIN, NUM_VAL = 60, 3


@pytest.fixture(scope='module')
def scenes(tmp_path_factory) -> Path:
    return make_scenes(
        tmp_path_factory.mktemp('scenes') / 'set', NUM_TRAIN, NUM_VAL
    )


@pytest.fixture(scope='module')
def coco(scenes) -> COCO:
    return COCO(scenes / 'annotations' / 'instances_train2017.json')


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob('*')
        if path.is_file()
    }


def annotated(coco: COCO):
    """Every image with its annotations and their masks, by pycocotools."""
    for image_id in coco.getImgIds():
        annotations = coco.loadAnns(coco.getAnnIds(image_id))
        yield image_id, annotations, [coco.annToMask(a) for a in annotations]


def test_images_are_jpeg_files_of_the_stated_size(scenes):
    for split, count in (('train2017', NUM_TRAIN), ('val2017', NUM_VAL)):
        content = json.loads(
            (scenes / f'annotations/instances_{split}.json').read_text()
        )
        names = {image['file_name'] for image in content['images']}
        files = list((scenes / split).iterdir())
        assert {file.name for file in files} == names
        assert len(names) == count
        for file in files:
            assert file.read_bytes()[:3] == b'\xff\xd8\xff'
            assert cv2.imread(str(file)).shape == (240, 320, 3)


def test_boxes_and_areas_are_those_of_the_masks(coco):
    for image_id, annotations, masks in annotated(coco):
        for annotation, mask in zip(annotations, masks, strict=True):
            assert annotation['image_id'] == image_id
            assert annotation['area'] == mask.sum() > 0
            rows, columns = np.nonzero(mask)
            left, top, width, height = annotation['bbox']
            assert (left, top) == (columns.min(), rows.min())
            assert left + width == columns.max() + 1 <= 320
            assert top + height == rows.max() + 1 <= 240


def test_masks_do_not_overlap(coco):
    for _, _, masks in annotated(coco):
        assert np.sum(masks, axis=0).max() == 1


def test_classes_sizes_and_clutter(coco):
    categories = coco.loadCats(coco.getCatIds())
    assert tuple(each['name'] for each in categories) == SCENE_CLASSES
    annotations = coco.loadAnns(coco.getAnnIds())
    assert len({each['id'] for each in annotations}) == len(annotations)
    counts = Counter(each['category_id'] for each in annotations)
    assert set(counts) == set(coco.getCatIds()) and len(counts) >= 5
    assert min(counts.values()) > 0.05 * len(annotations)
    assert len(annotations) > 6 * NUM_TRAIN
    # All three of COCO's ranges of size.
    areas = np.array([each['area'] for each in annotations])
    for share in (
        areas < 32**2,
        (32**2 <= areas) & (areas < 96**2),
        areas >= 64**2,
    ):
        assert share.mean() > 0.05
    longest = [max(each['bbox'][2:]) for each in annotations]
    assert min(longest) < 24 and max(longest) > 120


def test_objects_hide_parts_of_others(coco):
    """Boxes meet in most images, which takes clutter."""
    meeting = 0
    for _, annotations, _ in annotated(coco):
        boxes = np.array([each['bbox'] for each in annotations])
        low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        overlap = np.minimum(high[:, None], high) - np.maximum(
            low[:, None], low
        )
        meeting += (overlap > 4).all(axis=2).sum() > len(boxes)
    assert meeting > 0.7 * NUM_TRAIN


def area_of(contours) -> float:
    """Area of a silhouette of radius 1: shoelace formula, less its holes."""
    areas = sorted(
        abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2
        for x, y in (contour.T for contour in contours)
    )
    return areas[-1] - sum(areas[:-1])


def test_every_object_stays_in_sight():
    """Others and the edge together hide half of an object at most."""
    rng = np.random.default_rng(0)
    canvas = _Canvas(rng, (320, 240))
    whole = []
    for number in range(40):
        category_id, radius = 1 + number % len(OBJECT_CLASSES), 30 - number / 4
        if canvas.place(category_id, radius):
            contours = OBJECT_CLASSES[category_id - 1].contours
            whole.append(area_of(contours) * radius**2)
    seen = np.bincount(canvas.owners.ravel())[1:]
    assert len(seen) == len(whole) == len(canvas.category_ids) > 20
    shares = seen / np.array(whole)
    assert shares.min() > 0.49 and shares.min() < 0.75


def test_picture_changes_where_masks_end(scenes, coco):
    """Outlines of masks lie on edges of the picture, not beside them."""
    on, beside = [], []
    for image_id, _, masks in annotated(coco):
        name = coco.loadImgs(image_id)[0]['file_name']
        image = cv2.imread(str(scenes / 'train2017' / name)).astype(np.float32)
        slope = np.hypot(
            cv2.Sobel(image, -1, 1, 0), cv2.Sobel(image, -1, 0, 1)
        ).max(axis=2)
        for mask in masks:
            outline = cv2.morphologyEx(
                mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)
            )
            on.append(slope[outline > 0].mean())
            moved = np.roll(outline, (4, 4), axis=(0, 1))
            beside.append(slope[moved > 0].mean())
    assert np.mean(np.array(on) > beside) > 0.9
    assert np.mean(on) > 1.4 * np.mean(beside)


@pytest.mark.parametrize('each', OBJECT_CLASSES, ids=lambda each: each.name)
def test_silhouettes_cover_the_right_pixels(each):
    """Against matplotlib's point-in-polygon test of the pixels' centres."""
    pose = _Pose(x=61.3, y=48.6, radius=40.0, angle=0.7)
    window = (slice(0, 100), slice(10, 110))
    covered = _coverage(each, pose, window)
    rows, columns = np.mgrid[window]
    pixels = np.stack([columns.ravel(), rows.ravel()], axis=1)
    inside = np.zeros(len(pixels), bool)
    for contour in each.contours:
        inside ^= Polygon(pose.to_picture(contour)).contains_points(pixels)
    inside = inside.reshape(covered.shape)
    # They may differ on pixels that the outline halves. OpenCV fills the
    # outline too: half a pixel of the fine picture, an eighth of ours.
    perimeter = sum(
        cv2.arcLength(np.float32(pose.to_picture(contour)), True)
        for contour in each.contours
    )
    assert ((covered >= 0.5) != inside).sum() < perimeter / 4
    assert abs(covered.sum() - inside.sum()) < perimeter / 6
    u, v = pose.to_object(window)
    back = pose.to_picture(np.stack([u.ravel(), v.ravel()], axis=1))
    np.testing.assert_allclose(back, pixels, atol=1e-3)


@pytest.mark.parametrize('ground', GROUNDS, ids=lambda each: each.__name__)
def test_grounds_are_textured_and_in_range(ground):
    image = ground(np.random.default_rng(0), (96, 64))
    assert image.shape == (64, 96, 3)
    assert image.std(axis=(0, 1)).max() > 0.01
    assert image.min() > -0.05 and image.max() < 1.2


def test_same_arguments_give_the_same_bytes(scenes, tmp_path):
    first = make_scenes(tmp_path / 'first', 4, 2, seed=7)
    second = make_scenes(tmp_path / 'second', 4, 2, seed=7)
    assert contents(first) == contents(second)
    other = make_scenes(tmp_path / 'other', 4, 2, seed=8)
    images = [name for name in contents(first) if name.endswith('.jpg')]
    assert len(images) == 6
    for name in images:
        assert contents(first)[name] != contents(other)[name]


def test_an_image_does_not_depend_on_how_many_there_are(scenes, tmp_path):
    fewer = contents(make_scenes(tmp_path / 'fewer', 2, 1))
    more = contents(scenes)
    names = [name for name in fewer if name.endswith('.jpg')]
    assert len(names) == 3
    for name in names:
        assert fewer[name] == more[name]
    name = 'annotations/instances_train2017.json'
    start = json.loads(fewer[name])['annotations']
    assert json.loads(more[name])['annotations'][: len(start)] == start


def test_training_and_validation_differ(scenes):
    train, val = (
        (scenes / split / '000000000001.jpg').read_bytes()
        for split in ('train2017', 'val2017')
    )
    assert train != val


def test_a_whole_data_set_is_reused_and_a_broken_one_is_mended(tmp_path):
    folder = make_scenes(tmp_path / 'set', 2, 1)
    before = contents(folder)
    image = folder / 'train2017' / '000000000001.jpg'
    stamp = image.stat().st_mtime_ns
    make_scenes(folder, 2, 1)
    assert image.stat().st_mtime_ns == stamp
    image.unlink()
    make_scenes(folder, 2, 1)
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ['set']


def test_other_arguments_replace_a_data_set_made_here(tmp_path):
    make_scenes(tmp_path / 'set', 3, 1)
    folder = make_scenes(tmp_path / 'set', 2, 1, size=(160, 120))
    fresh = make_scenes(tmp_path / 'fresh', 2, 1, size=(160, 120))
    assert contents(folder) == contents(fresh)


@pytest.mark.parametrize('made_here', [False, True])
def test_foreign_files_are_never_touched(tmp_path, made_here):
    folder = tmp_path / 'set'
    if made_here:
        make_scenes(folder, 1, 1)
    (folder / 'mine').mkdir(parents=True)
    (folder / 'mine' / 'photo.jpg').write_bytes(b'precious')
    before = contents(folder)
    with pytest.raises(FileExistsError, match=r'mine/photo\.jpg'):
        make_scenes(folder, 2, 1)
    assert contents(folder) == before


def test_annotations_of_others_are_not_taken_for_ours(tmp_path):
    file = tmp_path / 'coco' / 'annotations' / 'instances_train2017.json'
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({'info': {'contributor': 'COCO'}}))
    with pytest.raises(FileExistsError, match='instances_train2017'):
        make_scenes(tmp_path / 'coco', 1, 1)
    assert file.exists()


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    folder = make_scenes(tmp_path / 'set', 1, 1)
    before = contents(folder)

    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr('mmselfemd.datasets.scenes._write_annotations', fail)
    with pytest.raises(KeyboardInterrupt):
        make_scenes(folder, 2, 1)
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ['set']


@pytest.mark.parametrize(
    'wrong',
    [
        {'num_train': 0},
        {'num_val': 1.5},
        {'seed': -1},
        {'size': (320, 32)},
        {'size': (320.5, 240)},
        {'size': (320,)},
    ],
)
def test_bad_arguments_are_named(tmp_path, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make_scenes(tmp_path / 'set', **wrong)
    assert not list(tmp_path.iterdir())


def test_mmdet_reads_boxes_and_masks(scenes):
    from mmcv.transforms import LoadImageFromFile
    from mmdet.datasets import CocoDataset
    from mmdet.datasets.transforms import LoadAnnotations

    dataset = CocoDataset(
        data_root=str(scenes),
        ann_file='annotations/instances_val2017.json',
        data_prefix={'img': 'val2017/'},
        metainfo={'classes': SCENE_CLASSES},
        pipeline=[
            LoadImageFromFile(),
            LoadAnnotations(with_mask=True),
        ],
    )
    assert len(dataset) == NUM_VAL
    for sample in dataset:
        assert sample['img'].shape == (240, 320, 3)
        boxes = sample['gt_bboxes'].numpy()
        masks = sample['gt_masks']
        assert len(masks) == len(boxes) == len(sample['gt_bboxes_labels']) > 0
        for box, mask in zip(boxes, masks.masks, strict=True):
            rows, columns = np.nonzero(mask)
            np.testing.assert_array_equal(
                box,
                (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1),
            )
