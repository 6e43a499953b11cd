"""Objects, and what detectors of some skill find of them, both made up."""

import contextlib
import io

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

WIDTH, HEIGHT = 400, 300


def make_annotations(rng, num_images=30, num_classes=3, crowd=0.1):
    """A file's content; small, medium and large objects, some of them crowds.

    The ids of the images are not those of their order. One more class has
    crowds alone, and the last nothing at all.
    """
    image_ids = (10 + 7 * rng.permutation(num_images)).tolist()
    annotations = []
    for image_id in image_ids:
        for _ in range(rng.poisson(3)):
            width, height = np.exp(rng.uniform(2.5, 5.3, 2)).clip(5, 250)
            left = rng.uniform(0, WIDTH - width)
            top = rng.uniform(0, HEIGHT - height)
            category = int(rng.integers(num_classes + bool(crowd)))
            is_crowd = category == num_classes or rng.random() < crowd
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image_id,
                    category_id=3 * category + 2,
                    bbox=np.array([left, top, width, height]).tolist(),
                    area=float(width * height * rng.uniform(0.5, 1)),
                    iscrowd=int(is_crowd),
                )
            )
    return dict(
        images=[
            dict(id=i, file_name=f'{i}.jpg', width=WIDTH, height=HEIGHT)
            for i in image_ids
        ],
        annotations=annotations,
        categories=[
            dict(id=3 * number + 2, name=f'thing {number}')
            for number in range(num_classes + 2)
        ],
    )


def make_results(rng, content, skill=0.7, wrong=2.0, digits=None, luck=None):
    """What is found: `skill` of the objects, `wrong` false ones an image.

    `luck` adds to the skill by image. Scores are rounded to `digits`.
    """
    results = []

    def add(image_id, category_id, box, score):
        if digits is not None:
            score = round(score, digits)
        results.append(
            dict(
                image_id=image_id,
                category_id=category_id,
                bbox=np.asarray(box).tolist(),
                score=float(score),
            )
        )

    for item in content['annotations']:
        chance = skill + (luck or {}).get(item['image_id'], 0)
        for _ in range(1 + (rng.random() < 0.1)):  # now and then twice
            if rng.random() < chance:
                box = np.array(item['bbox'])
                box += rng.normal(0, 0.08, 4) * np.tile(box[2:], 2)
                box[2:] = box[2:].clip(1)
                score = rng.beta(3, 2)
                add(item['image_id'], item['category_id'], box, score)
    ids = [each['id'] for each in content['categories']]
    for image in content['images']:
        for _ in range(rng.poisson(wrong)):
            box = [*rng.uniform(0, 200, 2), *np.exp(rng.uniform(2, 5, 2))]
            category = int(rng.choice(ids))
            add(image['id'], category, box, rng.beta(2, 3))
    order = rng.permutation(len(results))
    return [results[place] for place in order]


def index(content):
    """pycocotools' index of annotations."""
    coco = COCO()
    coco.dataset = content
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def evaluate(content, results):
    """COCOeval, accumulated and summed up."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = index(content)
        found = coco.loadRes([dict(each) for each in results])
        evaluation = COCOeval(coco, found, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def copy_images(content, results, weights):
    """Each image as often as its weight says, copies beside one another."""
    ids = sorted(each['id'] for each in content['images'])
    new = {
        old: [1000 * rank + copy for copy in range(weight)]
        for rank, (old, weight) in enumerate(zip(ids, weights, strict=True))
    }
    images = [
        dict(each, id=number)
        for each in content['images']
        for number in new[each['id']]
    ]
    copies, found = (
        [
            dict(each, image_id=number)
            for each in items
            for number in new[each['image_id']]
        ]
        for items in (content['annotations'], results)
    )
    for number, each in enumerate(copies, 1):
        each['id'] = number
    return dict(content, images=images, annotations=copies), found
