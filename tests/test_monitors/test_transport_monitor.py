"""The figures of the loss's own flow are of the pair's nodes and views."""

from types import SimpleNamespace

import numpy as np
import ot
import pytest
import torch
import torch.nn.functional as F
from mmpretrain.structures import DataSample
from torch import nn

from mmselfemd.evaluation.transport import score_own_flow
from mmselfemd.models import SPCNeck
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import EMDHead, KnownPairsHead
from mmselfemd.monitors import GradientMonitorHook, TransportMonitorHook
from mmselfemd.transport import cosine_cost, sinkhorn

B, N, C = 3, 83, 32
VIEWS = [
    dict(box=(0, 0, 224, 224), flip=False, size=224),
    dict(box=(60, 20, 100, 180), flip=False, size=224),
]


def embedded():
    return Embedding(torch.randn(B, N, C), torch.randn(B, C))


def flow_between(query, key):
    """Eq. 4 with uniform weights."""
    cost = 1 - F.cosine_similarity(query[:, :, None], key[:, None], dim=3)
    return sinkhorn(cost, torch.ones(B, N), torch.ones(B, N), 0.05).flow


def measure(queries, keys, num_exact, **head):
    model = nn.Module()
    model.neck = SPCNeck()
    model.head = EMDHead(
        C, C, marginals='uniform', norm_cfg=dict(type='BN'), **head
    )
    samples = [DataSample(metainfo=dict(views=VIEWS)) for _ in range(B)]
    return TransportMonitorHook(num_exact=num_exact).measure(
        SimpleNamespace(iter=0, model=model),
        queries,
        keys,
        dict(data_samples=samples),
    )


@pytest.mark.parametrize('pair', [(0, 1), (1, 0)])
def test_the_own_flow_is_scored_by_its_views_beside_the_next_images(pair):
    queries, keys = ([embedded(), embedded()] for _ in range(2))
    figures = measure(queries, keys, 0, view_pairs=[pair, pair[::-1]])
    query, key = queries[pair[0]].nodes, keys[pair[1]].nodes
    expected = score_own_flow(
        flow_between(query, key),
        [[VIEWS[number] for number in pair]] * B,
        SPCNeck(),
        flow_between(query, key[[1, 2, 0]]),
    )
    assert len(expected) == len(set(expected.values())) == 4
    found = {name: figures[name] for name in expected}
    assert found == pytest.approx(expected)


@pytest.mark.filterwarnings('ignore::mmselfemd.transport.ConvergenceWarning')
def test_the_cost_is_that_of_the_losss_flow_beside_the_least_of_some():
    queries, keys = ([embedded(), embedded()] for _ in range(2))
    figures = measure(queries, keys, 2, gamma=0.3, max_iters=2)
    cost = cosine_cost(queries[0].nodes, keys[1].nodes)
    ones = torch.ones(B, N)
    paid = (cost * sinkhorn(cost, ones, ones, 0.3, 2).flow).sum((1, 2))
    assert figures['cost'] == pytest.approx(paid.mean().item())
    uniform = np.full(N, 1 / N)
    least = [
        ot.emd2(uniform, uniform, image.double().numpy()) for image in cost[:2]
    ]
    excess = paid[:2].mean().item() / np.mean(least) - 1
    assert figures['excess_cost'] == pytest.approx(excess, rel=1e-4)


def test_a_flow_that_is_given_is_not_called_the_losss_own():
    head = KnownPairsHead(C, C, norm_cfg=dict(type='BN'))
    assert not TransportMonitorHook().watches(head)
    assert GradientMonitorHook().watches(head)
    assert TransportMonitorHook().watches(EMDHead(C, C))
    assert not TransportMonitorHook().watches(None)
