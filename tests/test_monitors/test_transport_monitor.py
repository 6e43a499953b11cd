"""The figures of the loss's own flow are of the pair's nodes and views."""

from types import SimpleNamespace

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
from mmselfemd.transport import sinkhorn

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


@pytest.mark.parametrize('pair', [(0, 1), (1, 0)])
def test_the_own_flow_is_scored_by_its_views_beside_the_next_images(pair):
    model = nn.Module()
    model.neck = SPCNeck()
    model.head = EMDHead(
        C,
        C,
        marginals='uniform',
        norm_cfg=dict(type='BN'),
        view_pairs=[pair, pair[::-1]],
    )
    queries, keys = ([embedded(), embedded()] for _ in range(2))
    samples = [DataSample(metainfo=dict(views=VIEWS)) for _ in range(B)]
    figures = TransportMonitorHook(num_exact=0).measure(
        SimpleNamespace(iter=0, model=model),
        queries,
        keys,
        dict(data_samples=samples),
    )
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


def test_a_flow_that_is_given_is_not_called_the_losss_own():
    head = KnownPairsHead(C, C, norm_cfg=dict(type='BN'))
    assert not TransportMonitorHook().watches(head)
    assert GradientMonitorHook().watches(head)
    assert TransportMonitorHook().watches(EMDHead(C, C))
    assert not TransportMonitorHook().watches(None)
