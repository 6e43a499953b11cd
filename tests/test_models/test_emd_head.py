"""Predictor, marginals and losses against literal transcriptions."""

from copy import deepcopy

import numpy as np
import ot
import pytest
import torch

from mmselfemd.models import EMDHead
from mmselfemd.models.embedding import Embedding
from mmselfemd.transport import emd_similarity
from mmselfemd.transport.emd import GRADIENTS


def head(**kwargs):
    return EMDHead(4, 8, norm_cfg=dict(type='BN'), **kwargs)


def embedding(n, batch=2, node_vectors=True):
    return Embedding(
        torch.randn(batch, n, 4),
        torch.randn(batch, 4),
        torch.randn(batch, n, 4) if node_vectors else None,
    )


def literal_emd_loss(query, key, source, target, gamma):
    """Eq. 11-13 for one image, with POT's solver."""
    cost = np.array(
        [
            [1 - float(x @ y / (x.norm() * y.norm())) for y in key]
            for x in query
        ]
    )
    flow = ot.sinkhorn(
        source / source.sum(),
        target / target.sum(),
        cost,
        gamma,
        method='sinkhorn_log',
        numItermax=100000,
        stopThr=1e-12,
    )
    return 2 - 2 * ((1 - cost) * flow).sum()


@pytest.mark.parametrize(
    'marginals, weight_nodes',
    [
        ('vector', 'vector'),
        ('vector', 'dense'),
        ('mean', 'dense'),
        ('uniform', 'dense'),
    ],
)
def test_losses_are_twice_the_mean_over_ordered_pairs(marginals, weight_nodes):
    emd = head(
        marginals=marginals,
        weight_nodes=weight_nodes,
        gamma=0.2,
        max_iters=500,
        byol_weight=0.5,
    )
    queries = [embedding(n) for n in (5, 5, 3)]
    keys = [embedding(5), embedding(5)]
    byol, dense = [], []
    for i, j in ((0, 1), (1, 0), (2, 0), (2, 1)):
        for b in range(2):
            q, k = (
                [part[b] for part in side] for side in (queries[i], keys[j])
            )
            byol.append(2 - 2 * q[1] @ k[1] / (q[1].norm() * k[1].norm()))
            x, y = (q[0], k[0]) if weight_nodes == 'dense' else (q[2], k[2])
            other_of_x, other_of_y = {
                'vector': (k[1], q[1]),
                'mean': (k[0].mean(0), q[0].mean(0)),
                'uniform': (None, None),
            }[marginals]
            if marginals == 'uniform':
                source, target = np.ones(len(x)), np.ones(len(y))
            else:
                source = (x @ other_of_x).relu().double().numpy()
                target = (y @ other_of_y).relu().double().numpy()
            source = source if source.any() else np.ones(len(x))
            target = target if target.any() else np.ones(len(y))
            keep = source > 0, target > 0
            dense.append(
                literal_emd_loss(
                    q[0][keep[0]],
                    k[0][keep[1]],
                    source[keep[0]],
                    target[keep[1]],
                    0.2,
                )
            )
    losses = emd.loss(queries, keys)
    assert losses['loss_byol'].item() == pytest.approx(
        0.5 * 2 * np.mean(byol), rel=1e-6
    )
    assert losses['loss_emd'].item() == pytest.approx(
        2 * np.mean(dense), rel=1e-6
    )


@pytest.mark.filterwarnings('ignore::mmselfemd.transport.ConvergenceWarning')
@pytest.mark.parametrize('gradient', GRADIENTS)
def test_the_transport_is_solved_as_the_options_say(gradient):
    """Left early on purpose, where gradients differ by what they are."""
    options = dict(gamma=0.3, max_iters=2, gradient=gradient)
    emd = head(marginals='uniform', view_pairs=[(0, 0)], **options)
    query, key = embedding(5), embedding(7)
    query.nodes.requires_grad_()
    weights = torch.ones(2, 5), torch.ones(2, 7)
    similarity = emd_similarity(query.nodes, key.nodes, *weights, **options)
    expected = 2 * (2 - 2 * similarity).mean()
    loss = emd.loss([query], [key])['loss_emd']
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, query.nodes),
        torch.autograd.grad(expected, query.nodes),
    )


def test_pairs_of_equal_node_counts_share_one_transport(monkeypatch):
    from mmselfemd.models.heads import emd_head

    shapes = []

    def spy(cost, *args, **kwargs):
        shapes.append(tuple(cost.shape))
        return similarity(cost, *args, **kwargs)

    similarity = emd_head.flow_similarity
    monkeypatch.setattr(emd_head, 'flow_similarity', spy)
    head().loss(
        [embedding(n) for n in (5, 5, 3)], [embedding(5), embedding(5)]
    )
    assert shapes == [(4, 5, 5), (4, 3, 5)]


def test_two_equal_views_have_no_loss():
    nodes = torch.eye(4)[None].repeat(2, 1, 1)
    view = Embedding(nodes, torch.ones(2, 4), nodes)
    losses = head(gamma=0.02).loss([view, view], [view, view])
    assert losses['loss_byol'].item() == pytest.approx(0, abs=1e-5)
    assert losses['loss_emd'].item() == pytest.approx(0, abs=1e-4)
    assert losses['converged_fraction'] == 1
    assert losses['zero_weight_fraction'] == 0
    assert losses['uniform_fallback_fraction'] == 0


def test_marginals_carry_no_gradient_and_predictors_do():
    emd = head()
    query = embedding(5)
    query.vector.requires_grad_()
    predicted = emd.predict(query)
    assert predicted.nodes.shape == (2, 5, 4)
    assert not predicted.node_vectors.requires_grad
    losses = emd.loss([predicted, predicted], [embedding(5), embedding(5)])
    losses['loss_emd'].backward()
    assert query.vector.grad is None
    assert emd.vector_predictor.out.weight.grad is None
    assert emd.dense_predictor.out.weight.grad.abs().sum() > 0


def test_node_vectors_are_predicted_as_at_inference():
    emd, query = head(), embedding(5)
    emd.vector_predictor.norm.running_mean += 3  # far from the batch's
    frozen = deepcopy(emd.vector_predictor).eval()
    without = deepcopy(emd)
    found = emd.predict(query).node_vectors
    torch.testing.assert_close(found, frozen.on_nodes(query.node_vectors))
    without.predict(query._replace(node_vectors=None))
    for buffer, expected in zip(emd.buffers(), without.buffers(), strict=True):
        assert torch.equal(buffer, expected)


def test_zero_weights_are_counted():
    view = embedding(4)
    view = view._replace(node_vectors=-view.vector[:, None].repeat(1, 4, 1))
    losses = head().loss([view, view], [view, view])
    assert losses['zero_weight_fraction'] == 1
    assert losses['uniform_fallback_fraction'] == 1
    assert losses['loss_emd'].isfinite()


@pytest.mark.parametrize('side', ['query', 'key'])
def test_zero_weights_are_counted_by_node_and_by_problem(side):
    ones = torch.ones(2, 4, 4)
    full = Embedding(torch.randn(2, 4, 4), torch.ones(2, 4), ones)
    # All four nodes of the one image, and one of the other.
    signs = torch.tensor([[-1.0, -1, -1, -1], [-1, 1, 1, 1]])
    lacking = full._replace(node_vectors=ones * signs[:, :, None])
    query, key = (lacking, full) if side == 'query' else (full, lacking)
    losses = head().loss([query] * 2, [key] * 2)
    assert losses['zero_weight_fraction'] == 5 / 16
    assert losses['uniform_fallback_fraction'] == 1 / 2


def test_bad_options_are_refused():
    for option in ('marginals', 'weight_nodes', 'gradient'):
        with pytest.raises(ValueError, match=f'{option} must be one of'):
            head(**{option: 'none'})
    view = embedding(5, node_vectors=False)
    with pytest.raises(ValueError, match='node_vectors=True'):
        head().loss([view, view], [view, view])
