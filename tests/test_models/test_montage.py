"""The algorithm and its head."""

import pytest
import torch
from mmpretrain.structures import DataSample
from two_processes import two_processes

from mmselfemd.models import ERFAdaptiveHead, Montage
from mmselfemd.models.classifiers import montage

REGIONS = [(0, 0, 16, 16), (16, 0, 32, 16), (0, 16, 16, 32), (16, 16, 32, 32)]


def samples(number, classes=3):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(classes + 1, (number, 4), generator=generator)
    return [
        DataSample(metainfo=dict(regions=REGIONS)).set_gt_label(each)
        for each in labels
    ]


def head(threshold=0.7):
    built = ERFAdaptiveHead(3, 5, map_size=(3, 3), threshold=threshold)
    built.init_weights()
    built.set_label_weights(torch.rand(3, 3, 48, 48), REGIONS)
    return built


def model():
    return Montage(
        backbone=dict(
            type='mmpretrain.ResNet',
            depth=18,
            stem_channels=4,
            base_channels=4,
            strides=(1, 2, 2, 1),
        ),
        head=dict(
            type='mmselfemd.ERFAdaptiveHead',
            num_classes=3,
            in_channels=32,
            map_size=(3, 3),
        ),
    )


def test_loss_is_eq_1_averaged_by_region():
    """Soft labels written out, and each position by itself."""
    built, batch = head(), samples(2)
    maps = torch.randn(2, 5, 3, 3)
    scores = built((maps,))
    assert scores.shape == (2, 4, 3, 3)
    region = [[0, 1, 1], [2, 3, 3], [2, 3, 3]]
    assert built.region.tolist() == region
    means = []
    for b, sample in enumerate(batch):
        losses = {r: [] for r in range(4)}
        for j in range(3):
            for k in range(3):
                soft = torch.zeros(4)
                for i, label in enumerate(sample.gt_label.tolist()):
                    soft[label] += built.label_weights[i, j, k]
                assert soft.sum() == pytest.approx(1)
                log = scores[b, :, j, k].log_softmax(0)
                losses[region[j][k]].append(-(soft * log).sum())
        means += [torch.stack(losses[r]).mean() for r in range(4)]
    found = built.loss((maps,), batch)
    torch.testing.assert_close(found['loss'], torch.stack(means).mean())


def test_the_loss_is_of_full_precision_under_autocast():
    """In float16 its gradient overflows by the scaler's first scale."""
    built, batch = head(), samples(2)
    maps = torch.randn(2, 5, 3, 3)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = built.loss((maps,), batch)['loss']
        scores = built((maps,))
    assert scores.dtype is torch.bfloat16 and found.dtype is torch.float32
    built.forward = lambda feats: scores.float()
    torch.testing.assert_close(found, built.loss((maps,), batch)['loss'])


def test_accuracy_counts_regions():
    built, batch = head(), samples(2)
    for sample in batch:
        sample.set_gt_label([1, 2, 0, 3])
    with torch.no_grad():
        built.classifier.weight.copy_(torch.eye(4, 5)[..., None, None])
        built.classifier.bias.zero_()
    maps = torch.zeros(2, 5, 3, 3)
    maps[:, 1, 0, 0] = 1  # upper left: right
    maps[:, 2, 0, 1] = 2  # upper right: right on the whole
    maps[:, 1, 0, 2] = 1
    maps[:, 3, 1:, 0] = 1  # lower left: wrong
    maps[0, 3, 1:, 1:] = 1  # lower right: right in the first
    maps[1, 1, 1:, 1:] = 1
    assert built.loss((maps,), batch)['accuracy'] == pytest.approx(5 / 8)


def test_a_step_reaches_backbone_and_head(our_scope):
    torch.manual_seed(0)
    built = model()
    built.init_weights()
    built.has_weights_hook = True
    images, batch = torch.randn(4, 3, 48, 48), samples(4)
    built.update_label_weights(images, batch)
    weights = built.head.label_weights
    torch.testing.assert_close(weights.sum(0), torch.ones(3, 3))
    own = weights.gather(0, built.head.region[None])
    assert (own >= 0.7 - 1e-6).all() and (own < 1).any()
    losses = built(images, batch, mode='loss')
    total, logged = built.parse_losses(losses)
    assert logged.keys() == {'loss', 'accuracy'}
    total.backward()
    assert built.backbone.conv1.weight.grad.abs().sum() > 0
    assert built.head.classifier.weight.grad.abs().sum() > 0


def test_weights_are_in_the_state():
    first, second = head(), ERFAdaptiveHead(3, 5, map_size=(3, 3))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.label_weights, second.label_weights)
    assert torch.equal(first.region, second.region)


def test_weights_are_by_the_mean_of_the_fields_of_all_processes(
    our_scope, monkeypatch, tmp_path
):
    fields = torch.rand(2, 3, 3, 48, 48)
    monkeypatch.setattr(
        montage, 'effective_receptive_field', lambda _, field: field.clone()
    )

    def weights(field):
        built = model()
        built.update_label_weights(field, samples(1))
        return built.head.label_weights.tolist()

    found = two_processes(lambda rank: weights(fields[rank]), tmp_path)
    expected = torch.tensor(weights(fields.mean(0)))
    for each in found:
        torch.testing.assert_close(torch.tensor(each), expected)


def test_what_does_not_fit_is_said(our_scope):
    built = model()
    with pytest.raises(RuntimeError, match='LabelWeightsHook'):
        built(torch.randn(2, 3, 48, 48), samples(2), mode='loss')
    with pytest.raises(ValueError, match=r'map is \(4, 4\).*map_size'):
        built.update_label_weights(torch.randn(2, 3, 64, 64), samples(2))
    with pytest.raises(RuntimeError, match='no predictions'):
        built(torch.randn(2, 3, 48, 48), mode='predict')
    with pytest.raises(ValueError, match='threshold=1.5'):
        ERFAdaptiveHead(3, 5, threshold=1.5)
    for value in (0, torch.inf):
        field = torch.full((3, 3, 48, 48), value, dtype=torch.float32)
        with pytest.raises(ValueError, match='depends on no pixel'):
            head().set_label_weights(field, REGIONS)
