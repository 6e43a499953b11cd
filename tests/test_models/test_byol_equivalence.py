"""With the vector branch alone SelfEMD is mmpretrain's BYOL."""

import pytest
import torch

from mmselfemd.models import EMDHead
from mmselfemd.models.embedding import Embedding
from mmselfemd.registry import MODELS

NORM = dict(type='BN')


def their_mlp(in_channels, with_avg_pool):
    return dict(
        type='mmpretrain.NonLinearNeck',
        in_channels=in_channels,
        hid_channels=16,
        out_channels=8,
        num_layers=2,
        with_bias=True,
        with_last_bn=False,
        with_last_bias=True,
        with_avg_pool=with_avg_pool,
        norm_cfg=dict(type='BN1d'),
    )


@pytest.fixture
def models(our_scope):
    """SelfEMD and mmpretrain's BYOL with the same weights, in float64."""
    backbone = dict(
        type='mmpretrain.ResNet',
        depth=18,
        stem_channels=4,
        base_channels=4,
        out_indices=(3,),
        norm_cfg=NORM,
    )
    ours = MODELS.build(
        dict(
            type='SelfEMD',
            backbone=backbone,
            neck=dict(
                type='VectorProjectionNeck',
                in_channels=32,
                hidden_channels=16,
                out_channels=8,
                norm_cfg=NORM,
            ),
            head=dict(
                type='BYOLHead',
                in_channels=8,
                hidden_channels=16,
                norm_cfg=NORM,
            ),
        )
    ).double()
    theirs = MODELS.build(
        dict(
            type='mmpretrain.BYOL',
            backbone=backbone,
            neck=their_mlp(32, with_avg_pool=True),
            head=dict(
                type='mmpretrain.LatentPredictHead',
                predictor=their_mlp(8, with_avg_pool=False),
                loss=dict(
                    type='mmpretrain.CosineSimilarityLoss', shift_factor=1.0
                ),
            ),
            data_preprocessor=dict(type='mmpretrain.SelfSupDataPreprocessor'),
        )
    ).double()
    theirs.backbone.load_state_dict(ours.backbone.state_dict())
    for mlp, reference in mlps(ours, theirs):
        for conv, linear in (
            (mlp.hidden, reference.fc0),
            (mlp.out, reference.fc1),
        ):
            linear.weight.data.copy_(conv.weight.data[:, :, 0, 0])
            linear.bias.data.copy_(conv.bias.data)
        reference.bn0.load_state_dict(mlp.norm.state_dict())
    ours.reset_key()
    ours.has_momentum_hook = True
    return ours, theirs


def mlps(ours, theirs):
    """Projector and predictor of both."""
    return (
        (ours.neck.vector_projector, theirs.neck),
        (ours.head.vector_predictor, theirs.head.predictor),
    )


def test_loss_and_gradients_equal_mmpretrains_byol(models):
    ours, theirs = models
    views = [torch.randn(4, 3, 64, 64, dtype=torch.double) for _ in range(2)]
    losses = ours.loss([view.clone() for view in views], [])
    reference = theirs.loss([view.clone() for view in views], [])
    assert losses.keys() == {'loss_byol'}
    assert torch.allclose(losses['loss_byol'], reference['loss'], rtol=1e-10)

    losses['loss_byol'].backward()
    reference['loss'].backward()
    for p, q in zip(
        ours.backbone.parameters(), theirs.backbone.parameters(), strict=True
    ):
        assert p.grad.abs().max() > 0
        assert torch.allclose(p.grad, q.grad, rtol=1e-6, atol=1e-12)
    for mlp, linear in mlps(ours, theirs):
        for conv, other in ((mlp.hidden, linear.fc0), (mlp.out, linear.fc1)):
            gradient = conv.weight.grad[:, :, 0, 0]
            assert torch.allclose(gradient, other.weight.grad, atol=1e-12)
        assert torch.allclose(mlp.norm.weight.grad, linear.bn0.weight.grad)
    # The statistics that both have gathered, too.
    for name, value in ours.backbone.state_dict().items():
        assert torch.allclose(value, theirs.backbone.state_dict()[name])
    assert all(p.grad is None for p in ours.key.parameters())


def test_emd_heads_loss_of_vectors_is_byol_heads(models):
    ours, _ = models
    head = EMDHead(8, 16, marginals='uniform', norm_cfg=NORM).double()
    head.vector_predictor.load_state_dict(
        ours.head.vector_predictor.state_dict()
    )
    views = [
        Embedding(
            torch.randn(4, 5, 8).double(),
            ours.encoder(torch.randn(4, 3, 64, 64).double()).vector,
        )
        for _ in '12'
    ]
    emd, byol = (
        kind.loss([kind.predict(view) for view in views], views)
        for kind in (head, ours.head)
    )
    assert emd.keys() > byol.keys() == {'loss_byol'}
    assert torch.equal(emd['loss_byol'], byol['loss_byol'])
