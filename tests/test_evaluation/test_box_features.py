"""Features of boxes, and what is read off them."""

import numpy as np
import pytest
import torch
from mmpretrain.models import SelfSupDataPreprocessor
from torch import nn

from mmselfemd.evaluation import Boxes, read_boxes
from mmselfemd.evaluation.box_features import box_features

PREPROCESSOR = SelfSupDataPreprocessor(
    mean=[10, 20, 30], std=[2, 4, 8], to_rgb=True
)


class Probe(nn.Module):
    """Gives the pixels back, and remembers what it was shown."""

    def __init__(self, *norms):
        super().__init__()
        self.norms = nn.Sequential(*norms)
        self.seen = []

    def __deepcopy__(self, memo):
        return self  # to look into it afterwards

    def forward(self, images):
        self.seen.append(images)
        return None, self.norms(images)


def test_feature_is_the_mean_of_the_normalised_box_in_its_own_place():
    crops = np.random.randint(0, 256, (10, 6, 6, 3), dtype=np.uint8)
    rgb = crops.mean((1, 2))[:, ::-1]
    expected = (rgb - [10, 20, 30]) / [2, 4, 8]
    for batch_size in (1, 4, 10, 64):
        probe = Probe()
        found = box_features(probe, PREPROCESSOR, crops, batch_size)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)
        assert {len(images) for images in probe.seen} == {batch_size}


def test_batches_are_mixed_whatever_the_order_of_the_file():
    """Sorted by class, a batch norm would see one class at a time."""
    crops = np.repeat(np.arange(2, dtype=np.uint8) * 200, 64)
    crops = np.broadcast_to(crops[:, None, None, None], (128, 2, 2, 3)).copy()
    probes = [Probe(nn.BatchNorm2d(3, affine=False)) for _ in range(2)]
    found = box_features(probes[0], PREPROCESSOR, crops, 16)
    again = box_features(probes[1], PREPROCESSOR, crops, 16)
    assert torch.equal(found, again)
    for images in probes[0].seen:
        bright = int((images.mean((1, 2, 3)) > 0).sum())
        assert 2 <= bright <= 14
    # The norm has not taken away which is which.
    assert (found[:64] < 0).all() and (found[64:] > 0).all()


def test_order_of_the_batches_tells_nothing():
    """A network that sees only noise reads chance from sorted boxes."""
    labels = np.repeat(['a', 'b', 'c', 'd'], 100)

    def noise(name):
        crops = np.random.randint(0, 256, (400, 8, 8, 3), dtype=np.uint8)
        images = np.array([f'{name}{index}' for index in range(400)])
        return Boxes(crops, labels, images)

    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3)
    )
    network.append(Tuple())
    reading = read_boxes(network, PREPROCESSOR, noise('t'), noise('v'), 50)
    for score in reading.figures.values():
        assert score == pytest.approx(0.25, abs=4 * 0.0217)


class Tuple(nn.Module):
    """The last map in a tuple, as backbones give it."""

    def forward(self, images):
        return (images,)


def test_statistics_and_dropout():
    crops = np.random.randint(0, 256, (12, 4, 4, 3), dtype=np.uint8)
    norm = nn.BatchNorm2d(3)
    norm.running_mean += 5
    backbone = nn.Sequential(norm, nn.Dropout(0.5), Tuple())
    state = {k: v.clone() for k, v in backbone.state_dict().items()}
    batch = box_features(backbone, PREPROCESSOR, crops, 12)
    running = box_features(
        backbone, PREPROCESSOR, crops, 12, statistics='running'
    )
    plain = box_features(Probe(), PREPROCESSOR, crops, 12)
    assert batch.mean(0).abs().max() < 1e-5
    np.testing.assert_allclose(running, plain - 5, rtol=1e-4, atol=1e-4)
    assert backbone.training  # the network itself is left as it was
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, state[name])
    with pytest.raises(ValueError, match="'batch' or 'running'"):
        box_features(backbone, PREPROCESSOR, crops, statistics='none')


@pytest.mark.parametrize(
    ('val', 'message'),
    [
        (dict(images=['y', 'x']), '1 image, x first'),
        (dict(labels=['c', 'd']), 'no category name'),
    ],
)
def test_sets_that_cannot_be_compared(val, message):
    parts = dict(crops=np.zeros((2, 4, 4, 3), np.uint8), labels=['a', 'b'])
    train = Boxes(**{k: np.array(v) for k, v in parts.items()}, images=['x'])
    val = parts | dict(images=['y', 'z']) | val
    with pytest.raises(ValueError, match=message):
        read_boxes(Probe(), PREPROCESSOR, train, Boxes(**val))
