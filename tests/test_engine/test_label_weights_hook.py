"""When labels are weighted anew, and by which montages."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from torch import nn

from mmselfemd.engine import LabelWeightsHook
from mmselfemd.errors import UserValueError


class Weighted(nn.Module):
    """Keeps what it was measured on."""

    def __init__(self, num_classes=2):
        super().__init__()
        self.head = SimpleNamespace(num_classes=num_classes)
        self.has_weights_hook = False
        self.seen = []

    def data_preprocessor(self, batch):
        return dict(batch, inputs=batch['inputs'] / 2)

    def update_label_weights(self, inputs, data_samples):
        self.seen.append((inputs, data_samples))


def runner_of(model, classes=('cat', 'dog')):
    dataset = SimpleNamespace(metainfo=dict(classes=classes))
    return Mock(model=model, train_dataloader=Mock(dataset=dataset), iter=0)


def test_it_measures_at_once_and_at_intervals():
    model = Weighted()
    runner = runner_of(model)
    hook = LabelWeightsHook(interval=3, num_images=4)
    hook.before_train(runner)
    assert model.has_weights_hook
    for runner.iter in range(7):
        batch = dict(
            inputs=torch.full((6, 1), runner.iter),
            data_samples=list('abcdef'),
        )
        hook.before_train_iter(runner, runner.iter, batch)
    # The first montages of iterations 0, 3 and 6, as the network gets them.
    assert [inputs[0].item() for inputs, _ in model.seen] == [0, 1.5, 3]
    assert all(len(inputs) == 4 for inputs, _ in model.seen)
    assert all(samples == list('abcd') for _, samples in model.seen)


def test_other_classes_than_the_datas_stop():
    hook = LabelWeightsHook()
    with pytest.raises(UserValueError, match='num_classes=2') as error:
        hook.before_train(runner_of(Weighted(num_classes=80)))
    assert 'cat, dog' in str(error.value)


def test_what_it_does_not_fit_is_said():
    with pytest.raises(TypeError, match='such as Montage, but got Linear'):
        LabelWeightsHook().before_train(runner_of(nn.Linear(1, 1)))
    for wrong in (dict(interval=0), dict(num_images=0)):
        with pytest.raises(ValueError, match='must be positive'):
            LabelWeightsHook(**wrong)
