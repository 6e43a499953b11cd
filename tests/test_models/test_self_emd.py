"""The algorithm: two encoders, Eq. 1."""

from copy import deepcopy

import pytest
import torch
from mmpretrain.structures import DataSample

from mmselfemd.registry import MODELS


def config(**kwargs):
    bn = dict(type='BN')
    return dict(
        type='SelfEMD',
        backbone=dict(
            type='mmpretrain.ResNet',
            depth=18,
            base_channels=4,
            stem_channels=4,
            out_indices=(3,),
            norm_cfg=bn,
        ),
        neck=[
            dict(
                type='DenseProjectionNeck',
                in_channels=32,
                hidden_channels=8,
                out_channels=8,
                norm_cfg=bn,
            ),
            dict(type='SPCNeck'),
        ],
        head=dict(
            type='EMDHead', in_channels=8, hidden_channels=8, norm_cfg=bn
        ),
        **kwargs,
    )


@pytest.fixture
def model(our_scope):
    model = MODELS.build(config())
    model.init_weights()
    model.has_momentum_hook = True
    return model


def views(*sizes):
    return [torch.randn(2, 3, size, size) for size in sizes]


def query_state(model):
    return {
        f'{part}.{name}': value
        for part in ('backbone', 'neck')
        for name, value in getattr(model, part).state_dict().items()
    }


def test_a_step_trains_the_query_and_not_the_key(model):
    losses = model.loss(views(224, 224, 112), [])
    assert {'loss_byol', 'loss_emd'} <= losses.keys()
    (losses['loss_byol'] + losses['loss_emd']).backward()
    for part in (model.backbone, model.neck, model.head):
        assert all(p.grad is not None for p in part.parameters())
    assert all(p.grad is None for p in model.key.parameters())


def test_reset_key_copies_parameters_and_buffers(model):
    model.loss(views(224, 224), [])
    assert any(
        (value != model.key.state_dict()[name]).any()
        for name, value in query_state(model).items()
    )
    model.reset_key()
    for name, value in query_state(model).items():
        assert torch.equal(value, model.key.state_dict()[name])
    # A copy, not the same storage.
    next(model.backbone.parameters()).data.add_(1)
    assert not torch.equal(
        next(model.backbone.parameters()), next(model.key.parameters())
    )


def test_update_key_is_equation_1_and_leaves_buffers(model):
    for parameter in (*model.backbone.parameters(), *model.neck.parameters()):
        parameter.data += torch.randn_like(parameter)  # as training moves it
    model.loss(views(224, 224), [])
    before = deepcopy(model.key.state_dict())
    model.update_key(0.7)
    found = model.key.state_dict()
    parameters = dict(model.key.named_parameters())
    for name, query in query_state(model).items():
        if name in parameters:
            expected = 0.7 * before[name] + 0.3 * query
            torch.testing.assert_close(
                found[name], expected, rtol=0, atol=1e-6
            )
            assert not torch.equal(found[name], before[name]), name
        else:
            assert torch.equal(found[name], before[name]), name


def test_the_small_view_is_never_a_key(model, monkeypatch):
    seen = []
    key_encoder = model.key_encoder
    monkeypatch.setattr(
        model,
        'key_encoder',
        lambda view: seen.append(view.shape[-1]) or key_encoder(view),
    )
    model.loss(views(224, 224, 112), [])
    assert seen == [224, 224]


def test_maps_for_metrics_are_by_the_statistics_of_the_batch(model):
    inputs, samples = views(64, 96), [DataSample(), DataSample()]
    in_training = deepcopy(model.backbone)
    in_training.train()  # returns nothing in mmpretrain
    before = deepcopy(model.state_dict())
    model.eval()
    found = model(inputs, samples, mode='predict')
    for number, images in enumerate(inputs):
        maps = torch.stack([s.feature_maps[number] for s in found])
        expected = in_training(images)[-1].detach()
        torch.testing.assert_close(maps, expected)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_training_without_a_momentum_hook_is_refused(our_scope):
    with pytest.raises(RuntimeError, match='MomentumUpdateHook'):
        MODELS.build(config()).loss(views(64, 64), [])


def test_with_the_vector_branch_alone_it_is_byol(our_scope):
    byol = config()
    norm = dict(type='BN')
    byol['neck'] = dict(
        type='VectorProjectionNeck',
        in_channels=32,
        hidden_channels=8,
        out_channels=8,
        norm_cfg=norm,
    )
    byol['head'] = dict(
        type='BYOLHead', in_channels=8, hidden_channels=8, norm_cfg=norm
    )
    model = MODELS.build(byol)
    model.has_momentum_hook = True
    inputs = views(224, 224)
    losses = model.loss(inputs, [])
    assert losses.keys() == {'loss_byol'}
    losses['loss_byol'].backward()
    assert all(p.grad is not None for p in model.backbone.parameters())
    assert all(p.grad is not None for p in model.head.parameters())
    # The two directions of Eq. 2, summed.
    model.eval()
    queries = [model.head.predict(model.encoder(view)) for view in inputs]
    keys = [model.key_encoder(view) for view in inputs]
    expected = sum(
        (2 - 2 * torch.cosine_similarity(p.vector, z.vector)).mean()
        for p, z in ((queries[0], keys[1]), (queries[1], keys[0]))
    )
    assert torch.allclose(model.loss(inputs, [])['loss_byol'], expected)
