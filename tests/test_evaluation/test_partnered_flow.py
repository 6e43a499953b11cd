"""A flow between nodes with a partner, against a slow transcription."""

from types import SimpleNamespace

import numpy as np
import ot
import pytest
import torch
from made_up_views import VIEWS, literal_partners
from mmpretrain.structures import DataSample
from small_models import small_model

from mmselfemd.evaluation import partnered_flow
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.selfsup.known_pairs import node_places

CONFIG = 'partnered-flow_r18_voc256_20e'
# The second image's views do not overlap.
OF_THE_QUERY, OF_THE_KEY = [VIEWS[0], VIEWS[0]], [VIEWS[1], VIEWS[2]]

SHAPES = (83, 83), (83,), (83,)


@pytest.fixture
def model():
    return small_model(CONFIG, gamma=0.2, max_iters=500).eval()


@pytest.fixture
def head(model):
    views = [OF_THE_QUERY, OF_THE_KEY]
    pyramid = model.neck[-1]
    model.head.locate = lambda number, count: node_places(
        views[number], count, pyramid
    )
    return model.head


def embedding():
    nodes = torch.randn(2, 83, 64)
    return Embedding(nodes, nodes.mean(1), nodes + torch.randn(2, 83, 64))


def partners(head):
    """Whether two nodes are within a cell of the key's map of each other."""
    places, (others, cells) = head.locate(0, 83), head.locate(1, 83)
    near = [
        literal_partners(places[0][b], others[b], cells[b].ravel())
        for b in range(2)
    ]
    return torch.from_numpy(np.stack(near))


def test_the_flow_is_that_of_a_problem_without_the_other_nodes(head):
    query, key = embedding(), embedding()
    near = partners(head)[0]
    rows, columns = near.any(1), near.any(0)
    assert 0 < rows.sum() < 83
    assert 0 < columns.sum() < 83
    weights = (
        head.node_weights(query, key)[0][rows],
        head.node_weights(key, query)[0][columns],
    )
    source, target = (w.double() / w.double().sum() for w in weights)
    cosine = torch.nn.functional.cosine_similarity(
        query.nodes[0][rows][:, None], key.nodes[0][columns][None], dim=-1
    )
    expected = torch.zeros(83, 83, dtype=torch.float64)
    # By its method for weights of zero; findings/pot_sinkhorn_zero_weights.sh.
    expected[rows.nonzero(), columns.nonzero().T] = ot.sinkhorn(
        source, target, 1 - cosine.double(), reg=0.2, method='sinkhorn_log'
    )
    flow = head.flow(0, 1, (query, key))
    torch.testing.assert_close(flow[0].double(), expected, rtol=0, atol=1e-5)
    # A node sends to nodes that are no partners of it, too.
    assert flow[0][~near].sum() > 0.5


def test_views_that_do_not_overlap_count_for_nothing(head):
    assert head.flow(0, 1, (embedding(), embedding()))[1].sum() == 0


def test_nodes_without_weight_count_for_nothing(head):
    query, key = embedding(), embedding()
    none = query._replace(vector=-key.node_vectors.mean(1))
    against = torch.ones_like(key.vector)
    key = key._replace(node_vectors=-against[:, None].expand(2, 83, 64))
    none = none._replace(vector=against)
    assert not head.node_weights(key, none).any()
    assert head.flow(0, 1, (none, key)).sum() == 0


def test_places_come_to_the_device_of_the_nodes(head, monkeypatch):
    """A tensor of it times one of the CPU is an error, on GPUs too."""
    problem = [torch.ones(2, *shape, device='meta') for shape in SHAPES]
    plan = SimpleNamespace(flow=problem[0])
    monkeypatch.setattr(head, 'transport_problems', lambda pairs: problem)
    monkeypatch.setattr(partnered_flow, 'sinkhorn', lambda *a, **k: plan)
    flow = head.flow(0, 1, (embedding(), embedding()))
    assert flow.device.type == 'meta'


def test_a_step_has_a_gradient(model):
    inputs = [torch.randn(2, 3, view['size'], view['size']) for view in VIEWS]
    # The first image's views overlap, and those of the second do not.
    samples = [
        DataSample(metainfo=dict(views=[first, second, first]))
        for first, second in zip(OF_THE_QUERY, OF_THE_KEY, strict=True)
    ]
    losses = model.loss(inputs, samples)
    assert losses.keys() == {'loss_byol', 'loss_emd'}
    losses['loss_emd'].backward()
    assert any(
        p.grad is not None and p.grad.any()
        for p in model.backbone.parameters()
    )
