"""Matching accuracy as mmengine's evaluation has it."""

import numpy as np
import pytest
import torch
from two_processes import two_processes

from mmselfemd.evaluation import MatchingAccuracy
from mmselfemd.evaluation.backbone_matching import score_maps

WHOLE = dict(box=(0, 0, 224, 224), flip=False, size=224)
FAR = dict(box=(900, 0, 224, 224), flip=False, size=224)
NUM_IMAGES = 5


def samples(views=(WHOLE, WHOLE)):
    """What the model makes of images: random maps, alike in both views."""
    maps = torch.randn(NUM_IMAGES, 8, 7, 7)
    return [
        dict(feature_maps=(each, each + torch.randn(8, 7, 7)), views=views)
        for each in maps
    ]


def test_figures_are_those_of_the_images():
    metric = MatchingAccuracy(gamma=0.3)
    metric.process({}, images := samples())
    figures = metric.evaluate(NUM_IMAGES)
    maps = [
        torch.stack(each)
        for each in zip(
            *(image['feature_maps'] for image in images), strict=True
        )
    ]
    expected = score_maps(*maps, [[WHOLE, WHOLE]] * NUM_IMAGES, gamma=0.3)
    for name in ('accuracy', 'other_image', 'gain', 'same_position'):
        values = [getattr(result, name) for result in expected]
        assert figures[f'matching/{name}'] == pytest.approx(np.mean(values))
        if name != 'same_position':
            # Images of as many nodes: the mean's error.
            error = np.std(values) / NUM_IMAGES**0.5
            found = figures[f'matching/{name}_error']
            assert found == pytest.approx(error, rel=0.15)


def test_what_is_unknown_is_said(logged):
    metric = MatchingAccuracy()
    for sample in samples():
        metric.process({}, [sample])  # in batches of one
    figures = metric.evaluate(NUM_IMAGES)
    assert figures['matching/accuracy'] > 0
    for name in ('gain', 'gain_error', 'other_image'):
        assert np.isnan(figures[f'matching/{name}'])
    assert 'val_dataloader.batch_size' in logged[-1]
    metric.process({}, samples((WHOLE, FAR)))
    assert all(map(np.isnan, metric.evaluate(NUM_IMAGES).values()))
    assert 'overlap' in logged[-1]


def test_no_image_at_all_is_said_and_ends_nothing(logged):
    """As where ``drop_last`` leaves no batch of a few images."""
    figures = MatchingAccuracy().evaluate(0)
    assert {'matching/gain', 'matching/accuracy_error'} <= figures.keys()
    assert all(map(np.isnan, figures.values()))
    assert 'val_dataloader' in logged[-1]


def test_errors_are_over_the_images_of_all_processes(tmp_path):
    images = samples()

    def evaluate(rank):
        metric = MatchingAccuracy()
        # As DefaultSampler deals them out: the first one twice.
        metric.process({}, [*images, images[0]][rank::2])
        return metric.evaluate(NUM_IMAGES)

    found = two_processes(evaluate, tmp_path)
    assert found[0] == found[1]
    metric = MatchingAccuracy()
    metric.process({}, images[::2])
    metric.process({}, [images[1], images[3], images[0]])
    first, second = metric.results[:3], metric.results[3:]
    alternating = [first[0], second[0], first[1], second[1], first[2]]
    assert {
        name.removeprefix('matching/'): value
        for name, value in found[0].items()
    } == pytest.approx(metric.compute_metrics(alternating))
