"""What mmdet and pycocotools see of a file that was mended."""

import json
from pathlib import Path

import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric
from mmdet.evaluation.metrics import coco_metric

from mmselfemd.datasets.annotations import content, forget_files
from mmselfemd.datasets.annotations.coco_api import (
    CheckedCOCO,
    MendedCOCO,
    read_with_checks,
)
from mmselfemd.errors import UserValueError

CLASSES = ('cat', 'dog')


@pytest.fixture(params=[True, False], ids=['mended', 'control'])
def mended(request, monkeypatch):
    """With the readers of this project, and with mmdet's own."""
    plain = coco_metric.COCO
    monkeypatch.setattr(CocoDataset, 'COCOAPI', CocoDataset.COCOAPI)
    monkeypatch.setattr(coco_metric, 'COCO', plain)
    if request.param:
        read_with_checks()
    else:
        from mmdet.datasets.api_wrappers import COCO

        CocoDataset.COCOAPI = coco_metric.COCO = COCO
    return request.param


def dataset_of(labels, classes=CLASSES):
    return CocoDataset(
        ann_file=labels.write(),
        data_prefix=dict(img=str(labels.images)),
        metainfo=dict(classes=classes),
        test_mode=True,
    )


def boxes_by_name(dataset):
    """Boxes with the names that their labels stand for."""
    names = dataset.metainfo['classes']
    return sorted(
        (info['img_id'], names[each['bbox_label']], *each['bbox'])
        for info in (dataset.get_data_info(k) for k in range(len(dataset)))
        for each in info['instances']
    )


def true_boxes(labels):
    names = {c['id']: c['name'] for c in labels.content['categories']}
    return sorted(
        (a['image_id'], names[a['category_id']], x, y, x + w, y + h)
        for a in labels.content['annotations']
        for x, y, w, h in [a['bbox']]
    )


def figures_of_the_truth(dataset, labels):
    """What an evaluator says of predictions that are right."""
    metric = CocoMetric(ann_file=str(labels.file))
    metric.dataset_meta = dataset.metainfo
    names = list(dataset.metainfo['classes'])
    for image_id in range(1, 7):
        rows = [row for row in true_boxes(labels) if row[0] == image_id]
        prediction = dict(
            bboxes=torch.tensor([row[2:] for row in rows]).float(),
            labels=torch.tensor([names.index(row[1]) for row in rows]),
            scores=torch.ones(len(rows)),
        )
        sample = dict(
            img_id=image_id, ori_shape=(80, 120), pred_instances=prediction
        )
        metric.process({}, [sample])
    return metric.evaluate(6)


def test_classes_in_another_order(labels, mended):
    dataset = dataset_of(labels, CLASSES[::-1])
    assert (boxes_by_name(dataset) == true_boxes(labels)) == mended
    figures = figures_of_the_truth(dataset, labels)
    assert (figures['coco/bbox_mAP'] > 0.99) == mended


def test_iscrowd_that_is_missing(labels, mended):
    for item in labels.content['annotations']:
        del item['iscrowd']
    dataset = dataset_of(labels)
    if not mended:
        with pytest.raises(KeyError):
            figures_of_the_truth(dataset, labels)
        return
    assert figures_of_the_truth(dataset, labels)['coco/bbox_mAP'] > 0.99


@pytest.mark.parametrize('area', [None, 0])
def test_area_that_is_missing(labels, mended, area):
    for item in labels.content['annotations']:
        item['area'] = area
    if not mended:
        try:
            assert not boxes_by_name(dataset_of(labels))
        except TypeError:
            assert area is None
        return
    dataset = dataset_of(labels)
    assert boxes_by_name(dataset) == true_boxes(labels)
    assert figures_of_the_truth(dataset, labels)['coco/bbox_mAP'] > 0.99


def test_an_annotation_id_0(labels, mended):
    for item in labels.content['annotations']:
        item['id'] -= 1
    figures = figures_of_the_truth(dataset_of(labels), labels)
    assert (figures['coco/bbox_mAP'] > 0.99) == mended


def test_boxes_partly_outside_end_at_the_border(labels, mended):
    first, second, *_ = labels.content['annotations']
    first.update(bbox=[-10, 5, 50, 40], area=2000)
    second.update(bbox=[100, 60, 40, 30], area=300)  # that of a mask
    dataset = dataset_of(labels)
    boxes = [row[2:] for row in boxes_by_name(dataset)]
    assert ((0, 5, 40, 45) in boxes) == mended
    assert ((100, 60, 120, 80) in boxes) == mended
    api = CocoDataset.COCOAPI(str(labels.file))
    assert api.anns[1]['area'] == (1600 if mended else 2000)
    assert api.anns[2]['area'] == 300


def test_the_file_stays_as_it_is(labels):
    del labels.content['annotations'][0]['area']
    before = Path(labels.write()).read_bytes()
    first, second = (CheckedCOCO(str(labels.file)) for _ in range(2))
    assert Path(labels.file).read_bytes() == before
    # Two readers share nothing: evaluation writes into what it has read.
    assert first.anns == second.anns
    assert first.anns[1] is not second.anns[1]


def test_a_correct_file_is_read_as_pycocotools_reads_it(labels):
    api = CheckedCOCO(labels.write())
    assert api.dataset == json.loads(labels.file.read_text())
    assert api.get_cat_ids() == [1, 2]
    assert api.get_cat_ids(cat_names=['dog', 'cat']) == [2, 1]
    assert api.get_cat_ids(cat_names=['dog']) == [2]
    assert len(api.img_ann_map) == 6 and len(api.cat_img_map) == 2


def test_what_is_wrong_is_told_before_mmdet_stumbles(labels, mended):
    labels.content['annotations'][5]['bbox'] = [1, 2, 3]
    error = UserValueError if mended else ValueError
    with pytest.raises(error) as caught:
        dataset_of(labels)
    said = 'annotation 6 of image 1: bbox [1, 2, 3]' in str(caught.value)
    assert said == mended


def test_what_an_evaluator_reads_is_not_kept(labels):
    """It writes files of its own, and reads them."""
    MendedCOCO(labels.write())
    assert not content._checked
    CheckedCOCO(labels.write())
    assert len(content._checked) == 1
    forget_files()
    assert not content._checked


def test_what_an_evaluator_reads_may_be_as_it_is(labels):
    """mmdet's file of a ground truth of its own has no names."""
    for image in labels.content['images']:
        image['file_name'] = ''
    api = MendedCOCO(labels.write())
    assert len(api.anns) == 48
