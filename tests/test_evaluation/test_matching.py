"""Matching accuracy."""

import numpy as np
import pytest
import torch
from mmpretrain.models import SelfSupDataPreprocessor
from mmpretrain.structures import DataSample
from torch import nn

from mmselfemd.evaluation import correspondences, match_views, measure_matching
from mmselfemd.evaluation.matching import (
    oracle_flow,
    pool_results,
    score_matching,
)

WHOLE = dict(box=(0, 0, 224, 224), flip=False, size=224)


@pytest.mark.parametrize('flip', [False, True])
def test_an_oracle_reaches_one_and_a_random_flow_chance(flip):
    partners = correspondences(WHOLE, WHOLE | dict(flip=flip))
    (oracle,) = score_matching(
        partners[None].astype(float), [partners], oracle_flow([partners])
    )
    assert oracle.accuracy == oracle.best == 1 and oracle.num_nodes == 49
    flows = np.random.default_rng(0).random((400, 49, 49))
    random = pool_results(score_matching(flows, [partners] * 400))
    assert random.chance == pytest.approx(partners.sum(1).mean() / 49)
    assert random.accuracy == pytest.approx(random.chance, abs=0.01)


def test_nodes_without_a_partner_do_not_count():
    half = dict(box=(112, 0, 112, 224), flip=False, size=224)
    partners = correspondences(WHOLE, half)
    (result,) = score_matching(partners[None].astype(float), [partners])
    assert 0 < result.num_nodes < 49 and result.accuracy == 1
    apart = score_matching(np.ones((1, 49, 49)), [np.zeros((49, 49), bool)])
    pooled = pool_results([*apart, result])
    assert pooled == pytest.approx(result, nan_ok=True)
    with pytest.raises(ValueError, match='overlap'):
        pool_results(apart)


def test_results_are_pooled_over_nodes_not_over_images():
    generator = np.random.default_rng(0)
    partners = generator.random((6, 9, 9)) < 0.1
    flows = generator.random((6, 9, 9))
    pooled = pool_results(score_matching(flows, partners))
    hits, shares = [], []
    for flow, truth in zip(flows, partners, strict=True):
        for row, shown in zip(flow, truth, strict=True):
            if shown.any():
                hits.append(shown[row.argmax()])
                shares.append(shown.mean())
    assert pooled.num_nodes == len(hits)
    assert pooled.accuracy == pytest.approx(np.mean(hits))
    assert pooled.chance == pytest.approx(np.mean(shares))


def test_an_oracle_is_no_better_than_the_marginals_allow():
    # All nodes of view 1 want the one node of view 2 that shows the place.
    partners = np.zeros((1, 4, 4), bool)
    partners[:, :, 0] = True
    flow = oracle_flow(partners)[0]
    assert flow.sum(1) == pytest.approx(0.25, abs=1e-9)
    assert flow.sum(0) == pytest.approx(0.25, abs=1e-6)
    assert flow[:, 0] == pytest.approx(1 / 16, abs=1e-6)


class Pixels(nn.Module):
    """A network whose features are the pixels at the nodes' centres."""

    def forward(self, images):
        return (images[..., ::32, ::32],)


def test_a_network_that_knows_places_matches_them():
    image = torch.randn(2, 3, 224, 224) * 20 + 100
    batch = dict(
        inputs=[image, image.clone()],
        data_samples=[
            DataSample(metainfo=dict(views=[WHOLE, WHOLE])) for _ in range(2)
        ],
    )
    result = measure_matching(
        Pixels(),
        SelfSupDataPreprocessor(mean=[100] * 3, std=[20] * 3),
        [batch],
    )
    assert result.accuracy > 0.9 > 0.2 > result.chance


def test_flow_has_uniform_marginals():
    flow = match_views(torch.randn(2, 8, 7, 7), torch.randn(2, 8, 7, 7))
    assert torch.allclose(flow.sum(2), torch.tensor(1 / 49), atol=1e-6)
