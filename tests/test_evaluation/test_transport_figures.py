"""Figures of a step's transport."""

from math import exp, log

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from made_up_views import VIEWS, literal_partners
from scipy.stats import entropy

from mmselfemd.evaluation.transport import (
    describe_transport,
    pyramid_partners,
    score_own_flow,
)
from mmselfemd.models import SPCNeck
from mmselfemd.models.node_geometry import nodes_in_image, pyramid_places
from mmselfemd.transport import sinkhorn

WHOLE = dict(box=(0, 0, 224, 224), flip=False, size=224)


def describe(cost, source, target, gamma):
    plan = sinkhorn(cost, source, target, gamma, 500)
    return describe_transport(cost, source, target, plan)


def test_figures_are_means_over_images_of_their_definitions():
    cost = 2 * torch.rand(3, 5, 7).double()
    weights = [torch.rand(3, nodes).double() ** 3 for nodes in (5, 7)]
    plan = sinkhorn(cost, *weights, 0.05, 30, warn=False)
    images = []
    for c, w, v, flow in zip(cost, *weights, plan.flow, strict=True):
        source, target = (w / w.sum()).numpy(), (v / v.sum()).numpy()
        matches = [exp(entropy(row)) for row in flow.numpy()]
        figures = dict(
            residual=np.abs(flow.numpy().sum(0) - target).sum(),
            matches_per_node=source @ matches,
            marginal_entropy=np.mean(
                [entropy(source) / log(5), entropy(target) / log(7)]
            ),
            cost=(c * flow).sum().item(),
        )
        images.append(figures)
    found = describe_transport(cost, *weights, plan)
    expected = {
        name: np.mean([image[name] for image in images]) for name in images[0]
    }
    assert found == pytest.approx(expected)


def test_one_match_each_where_it_costs_nothing():
    cost = 2 - 2 * torch.eye(5)[None]
    figures = describe(cost, torch.ones(1, 5), torch.ones(1, 5), 0.05)
    assert figures['matches_per_node'] == pytest.approx(1, abs=1e-3)
    assert figures['cost'] == pytest.approx(0, abs=1e-3)
    assert figures['marginal_entropy'] == pytest.approx(1, abs=1e-6)


def test_all_matches_alike_where_the_cost_is():
    figures = describe(
        torch.ones(2, 4, 6), torch.rand(2, 4), torch.ones(2, 6), 0.05
    )
    assert figures['matches_per_node'] == pytest.approx(6, rel=1e-4)
    assert figures['cost'] == pytest.approx(1, rel=1e-5)


def test_nodes_without_weight_count_for_nothing():
    weights = torch.tensor([[1.0, 0, 0, 0]])
    figures = describe(torch.rand(1, 4, 4), weights, weights, 0.05)
    assert figures['marginal_entropy'] == 0
    assert figures['matches_per_node'] == pytest.approx(1)


@pytest.mark.parametrize('flip', [False, True])
def test_a_pooled_node_lies_at_the_mean_of_what_it_pools(flip):
    view = WHOLE | dict(flip=flip, box=(10, 20, 100, 50))
    places, side = pyramid_places(view, 83, SPCNeck())
    centres = nodes_in_image(view, 7)
    assert side == 7 and np.allclose(places[:49], centres)
    grid = centres.reshape(7, 7, 2)
    assert np.allclose(places[49], grid[:3, :3].mean((0, 1)))
    assert np.allclose(places[-1], grid[4:, 4:].mean((0, 1)))
    assert pyramid_places(view | dict(size=112), 20, SPCNeck())[1] == 4
    with pytest.raises(ValueError, match='no square map gives 50'):
        pyramid_places(view, 50, SPCNeck())


@pytest.mark.parametrize('views', [VIEWS[:2], VIEWS[1::-1]])
def test_nodes_are_partners_within_a_cell_of_the_second_view(views):
    places = [pyramid_places(view, 83, SPCNeck())[0] for view in views]
    cell = np.divide(views[1]['box'][2:], 7)
    (found,) = pyramid_partners([views], 83, 83, SPCNeck())
    assert np.array_equal(found, literal_partners(*places, cell))
    assert found.any() and not found.all()


def knowing(view1, view2):
    """A flow that goes to where the same place is, (1, 83, 83)."""
    places = [
        torch.from_numpy(pyramid_places(view, 83, SPCNeck())[0])
        for view in (view1, view2)
    ]
    return F.softmax(-torch.cdist(*places)[None], -1)


def test_own_flow_of_a_head_that_knows_places_and_of_chance():
    flip = WHOLE | dict(flip=True)
    found = score_own_flow(knowing(WHOLE, flip), [[WHOLE, flip]], SPCNeck())
    assert found['own_flow'] > 0.95 > 0.3 > found['own_flow_chance']
    blind = score_own_flow(
        torch.rand(200, 83, 83), [[WHOLE, flip]] * 200, SPCNeck()
    )
    assert blind['own_flow'] == pytest.approx(
        blind['own_flow_chance'], abs=0.01
    )


def test_own_flow_beside_what_needs_no_content():
    flip = WHOLE | dict(flip=True)
    same, mirrored = ([[WHOLE, view]] for view in (WHOLE, flip))
    # Node i of a view is where node i of the same view is; mirrored, only
    # the middle ones are within a cell of their own place.
    flow, others = knowing(WHOLE, flip), torch.eye(83)[None]
    found = score_own_flow(flow, mirrored, SPCNeck(), others)
    assert found['own_flow_same_position'] < 0.5 < found['own_flow']
    assert found['own_flow_other_image'] == found['own_flow_same_position']
    found = score_own_flow(flow, same, SPCNeck())
    assert found['own_flow'] < 0.5 < found['own_flow_same_position'] == 1
    assert 'own_flow_other_image' not in found


def test_own_flow_where_there_is_less_to_tell():
    small = WHOLE | dict(size=112)
    found = score_own_flow(torch.rand(1, 20, 83), [[small, WHOLE]], SPCNeck())
    assert found.keys() == {'own_flow', 'own_flow_chance'}
    apart = WHOLE | dict(box=(500, 500, 224, 224))
    flow = torch.rand(1, 83, 83)
    assert score_own_flow(flow, [[WHOLE, apart]], SPCNeck()) == {}
