"""Classes, heads and several files together."""

import shutil

from mmselfemd.datasets.annotations import (
    MENDED,
    SAID,
    STOP,
    Usage,
    check_usages,
)


def usage(labels, split='train', **options):
    options = dict(classes=('cat', 'dog'), setting=f'{split} set') | options
    return Usage(split, labels.write(), str(labels.images), **options)


def found_in(*usages, **options):
    return {f.kind.name: f for f in check_usages(usages, **options)}


def test_classes_as_a_text(labels):
    found = found_in(usage(labels, classes='cat'))
    assert found.keys() == {'classes-string'}
    assert found['classes-string'].kind.level == STOP
    assert "classes=('name',)" in str(found['classes-string'])


def test_a_class_that_the_file_lacks(labels):
    found = found_in(usage(labels, classes=('Cat', 'dog')))
    assert found.keys() == {'class-unknown', 'category-unnamed'}
    assert "'Cat' (there is 'cat')" in found['class-unknown'].places[0]
    found = found_in(usage(labels, classes=('cat', 'dog', 'zebra')))
    assert "there are 'cat', 'dog'" in found['class-unknown'].places[0]


def test_a_category_that_no_class_names(labels):
    found = found_in(usage(labels, classes=('cat',)))
    assert found.keys() == {'category-unnamed'}
    assert found['category-unnamed'].kind.level == STOP
    assert "'dog' (id 2, 24 boxes)" in found['category-unnamed'].places[0]


def test_a_category_that_is_left_out_on_purpose(labels):
    assert not found_in(usage(labels, classes=('cat',), left_out=('dog',)))


def test_a_category_without_boxes_need_not_be_named(labels):
    """Roboflow writes one over all others."""
    labels.content['categories'].insert(0, dict(id=0, name='animals'))
    assert not found_in(usage(labels))


def test_a_class_named_twice(labels):
    found = found_in(usage(labels, classes=('cat', 'dog', 'cat')))
    assert found['class-twice'].places == ("'cat'",)


def test_classes_in_another_order_are_mended(labels):
    found = found_in(usage(labels, classes=('dog', 'cat')))
    assert found.keys() == {'class-order'}
    assert found['class-order'].kind.level == MENDED


def test_heads_of_another_number(labels):
    numbers = {
        'roi_head.bbox_head.num_classes': 2,
        'roi_head.mask_head.num_classes': 80,
    }
    found = found_in(usage(labels), num_classes=numbers)
    assert found.keys() == {'num-classes'}
    (place,) = found['num-classes'].places
    assert 'model.roi_head.mask_head.num_classes is 80' in place
    assert 'for 2 classes' in place


def test_other_classes_than_in_training(labels, val_labels):
    found = found_in(
        usage(labels), usage(val_labels, 'val', classes=('dog', 'cat'))
    )
    assert found['classes-differ'].kind.level == STOP
    assert found['classes-differ'].file == 'val set'


def test_a_rare_class(labels):
    for item in labels.content['annotations'][1:10:2]:
        item['category_id'] = 1
    found = found_in(usage(labels))
    assert found.keys() == {'class-rare'}
    assert found['class-rare'].places == ("'dog': 19",)


def test_images_that_min_size_drops(labels):
    assert not found_in(usage(labels, min_size=80))
    found = found_in(usage(labels, min_size=81))
    assert found.keys() == {'image-too-small'}
    assert found['image-too-small'].kind.level == SAID
    assert len(found['image-too-small'].places) == 6


def test_boxes_that_are_small_after_resizing(labels):
    """Boxes are 20 pixels and more, of images of 120 x 80."""
    assert not found_in(usage(labels, scale=(120, 80)))
    assert found_in(usage(labels, scale=(30, 20))).keys() == {'box-small'}
    labels.content['annotations'][0].update(bbox=[1, 1, 30, 5], area=150)
    assert 'box-small' in found_in(usage(labels))
    assert not found_in(usage(labels, scale=(240, 160)))


def test_a_photograph_of_validation_that_training_has(labels, val_labels):
    assert not found_in(usage(labels), usage(val_labels, 'val'))
    shutil.copy(labels.images / '3.jpg', val_labels.images / '5.jpg')
    for split in ('val', 'test'):
        found = found_in(usage(labels), usage(val_labels, split))
        assert found.keys() == {'image-in-train'}
        assert found['image-in-train'].kind.level == STOP
        (place,) = found['image-in-train'].places
        assert "image 5 ('5.jpg'" in place
        assert str(labels.images / '3.jpg') in place


def test_equal_sizes_and_heads_are_not_equal_photographs(labels, val_labels):
    content = (labels.images / '3.jpg').read_bytes() + bytes(5000)
    (labels.images / '3.jpg').write_bytes(content)
    (val_labels.images / '5.jpg').write_bytes(content[:-1] + b'x')
    assert not found_in(usage(labels), usage(val_labels, 'val'))


def test_names_that_training_has_where_files_are_not_here(labels, val_labels):
    """imantics 0.1.12 keeps the first data set in the second."""
    elsewhere = Usage('val', val_labels.write(), classes=('cat', 'dog'))
    found = found_in(usage(labels), elsewhere)
    assert found.keys() == {'name-in-train'}
    assert found['name-in-train'].kind.level == SAID


def test_a_file_is_told_of_once(labels, val_labels):
    val_labels.content['annotations'][0]['image_id'] = 99
    findings = check_usages(
        [usage(labels), usage(val_labels, 'val'), usage(val_labels, 'test')]
    )
    assert [f.kind.name for f in findings] == ['image-id-unknown']


def test_a_file_without_boxes_that_is_only_predicted_on(labels, val_labels):
    del val_labels.content['annotations']
    found = found_in(usage(labels), usage(val_labels, 'test'))
    assert found.keys() >= {'no-annotations'}
    found = found_in(
        usage(labels), usage(val_labels, 'test', needs_boxes=False)
    )
    assert not [f for f in found.values() if f.kind.level == STOP]
