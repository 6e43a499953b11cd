"""Matching accuracy."""

import numpy as np
import pytest
import torch
from mmpretrain.models import SelfSupDataPreprocessor
from mmpretrain.structures import DataSample
from torch import nn

from mmselfemd.evaluation import correspondences, match_views, measure_matching
from mmselfemd.evaluation.matching import score_matching

WHOLE = dict(box=(0, 0, 224, 224), flip=False, size=224)


@pytest.mark.parametrize('flip', [False, True])
def test_an_oracle_reaches_one_and_a_random_flow_chance(flip):
    partners = correspondences(WHOLE, WHOLE | dict(flip=flip))
    oracle = score_matching(partners[None].astype(float), [partners])
    assert oracle.accuracy == 1 and oracle.num_nodes == 49
    flows = np.random.default_rng(0).random((400, 49, 49))
    random = score_matching(flows, [partners] * 400)
    assert random.chance == pytest.approx(partners.sum(1).mean() / 49)
    assert random.accuracy == pytest.approx(random.chance, abs=0.01)


def test_nodes_without_a_partner_do_not_count():
    half = dict(box=(112, 0, 112, 224), flip=False, size=224)
    partners = correspondences(WHOLE, half)
    result = score_matching(partners[None].astype(float), [partners])
    assert 0 < result.num_nodes < 49 and result.accuracy == 1
    with pytest.raises(ValueError, match='overlap'):
        score_matching(np.ones((1, 49, 49)), [np.zeros((49, 49), bool)])


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
