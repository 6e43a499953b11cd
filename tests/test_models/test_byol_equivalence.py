"""The vector branch is BYOL: the same loss and gradients as mmpretrain's."""

import torch
from mmpretrain.models.heads import LatentPredictHead
from mmpretrain.models.necks import NonLinearNeck

from mmselfemd.models import DenseProjectionNeck, EMDHead
from mmselfemd.models.embedding import Embedding

BN = dict(type='BN1d')


def copy_mlp(ours, theirs):
    """Weights of a 1 x 1 convolution into a linear layer, and the norm's."""
    for conv, linear in (
        (ours.hidden, theirs.fc0),
        (ours.out, theirs.fc1),
    ):
        linear.weight.data.copy_(conv.weight.data[:, :, 0, 0])
        if linear.bias is not None:
            linear.bias.data.copy_(conv.bias.data)
    theirs.bn0.load_state_dict(ours.norm.state_dict())


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
        norm_cfg=BN,
    )


def test_loss_and_gradients_equal_mmpretrains_byol(our_scope):
    ours = DenseProjectionNeck(6, 16, 8, norm_cfg=dict(type='BN')).double()
    head = EMDHead(8, 16, norm_cfg=dict(type='BN')).double()
    config = their_mlp(6, with_avg_pool=True)
    config.pop('type')
    neck = NonLinearNeck(**config)
    their_head = LatentPredictHead(
        dict(type='mmpretrain.CosineSimilarityLoss', shift_factor=1.0),
        their_mlp(8, with_avg_pool=False),
    )
    neck, their_head = neck.double(), their_head.double()
    copy_mlp(ours.vector_projector, neck)
    copy_mlp(head.vector_predictor, their_head.predictor)
    maps = [torch.randn(4, 6, 7, 7).double() for _ in range(2)]
    keys = [torch.randn(4, 8).double() for _ in range(2)]

    vectors = [head.predict(_nodes(ours((view,)))).vector for view in maps]
    loss = (
        2
        * torch.stack(
            [
                head.byol_loss(
                    _with_vector(vectors[i]), _with_vector(keys[1 - i])
                ).mean()
                for i in range(2)
            ]
        ).mean()
    )
    theirs = 2 * sum(
        their_head.loss(neck((maps[i],))[0], keys[1 - i]) for i in range(2)
    )
    assert torch.allclose(loss, theirs, rtol=1e-12)

    loss.backward()
    theirs.backward()
    for mlp, reference in (
        (ours.vector_projector, neck),
        (head.vector_predictor, their_head.predictor),
    ):
        assert torch.allclose(
            mlp.hidden.weight.grad[:, :, 0, 0], reference.fc0.weight.grad
        )
        assert torch.allclose(
            mlp.out.weight.grad[:, :, 0, 0], reference.fc1.weight.grad
        )
        assert torch.allclose(mlp.norm.weight.grad, reference.bn0.weight.grad)


def _nodes(embedding):
    """The map as nodes, as SPCNeck without pools gives them."""
    flat = [
        part.flatten(2).mT if part.dim() == 4 else part for part in embedding
    ]
    return type(embedding)(*flat)


def _with_vector(vector):
    return Embedding(vector[:, None], vector)
