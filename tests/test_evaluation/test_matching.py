"""Matching accuracy."""

import numpy as np
import ot
import pytest
import torch
import torch.nn.functional as F
from mmpretrain.models import SelfSupDataPreprocessor
from mmpretrain.structures import DataSample
from torch import nn

from mmselfemd.evaluation import (
    bootstrap,
    correspondences,
    match_views,
    matching_figures,
    matching_sums,
    measure_matching,
    pool_results,
)
from mmselfemd.evaluation.backbone_matching import oracle_flow, score_maps
from mmselfemd.evaluation.matching import score_matching

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


def test_maps_are_matched_by_their_gamma():
    map1, map2 = torch.randn(2, 3, 8, 7, 7).double()
    flows = match_views(map1, map2, gamma=0.3)
    others = match_views(map1, map2.roll(-1, 0), gamma=0.3)
    results = score_maps(map1, map2, [[WHOLE, WHOLE]] * 3, gamma=0.3)
    partners, nodes = correspondences(WHOLE, WHOLE), np.arange(49)
    for b in range(3):
        x, y = (F.normalize(m[b].flatten(1).T) for m in (map1, map2))
        uniform = np.full(49, 1 / 49)
        cost = (1 - x @ y.T).numpy()
        expected = ot.sinkhorn(uniform, uniform, cost, 0.3, stopThr=1e-12)
        np.testing.assert_allclose(flows[b], expected, atol=1e-9)
        for share, flow in (
            (results[b].accuracy, flows[b]),
            (results[b].other_image, others[b]),
        ):
            assert share == partners[nodes, flow.argmax(1)].mean()


class Pixels(nn.Module):
    """A network whose features are the pixels at the nodes' centres."""

    def forward(self, images):
        return (images[..., ::32, ::32],)


def equal_views():
    """A batch of two images, each as two views that are the same."""
    image = torch.randn(2, 3, 224, 224) * 20 + 100
    samples = [
        DataSample(metainfo=dict(views=[WHOLE, WHOLE])) for _ in range(2)
    ]
    return dict(inputs=[image, image.clone()], data_samples=samples)


def test_a_network_that_knows_places_matches_them():
    batch = equal_views()
    results = measure_matching(
        Pixels(),
        SelfSupDataPreprocessor(mean=[100] * 3, std=[20] * 3),
        [batch, batch],
    )
    assert len(results) == 4
    result = pool_results(results)
    assert result.accuracy > 0.9 > 0.2 > result.chance
    assert result.gain > 0.7


class NormedPixels(Pixels):
    """The same behind a norm that has learnt of quite other images."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.norm.running_mean += 1e4

    def forward(self, images):
        return (self.norm(*super().forward(images)),)


def test_norms_are_by_the_statistics_of_the_batch():
    network = NormedPixels().eval()
    preprocessor = SelfSupDataPreprocessor()
    results = measure_matching(network, preprocessor, [equal_views()])
    assert pool_results(results).accuracy > 0.9
    assert (network.norm.running_mean == 1e4).all()


def test_flow_has_uniform_marginals():
    flow = match_views(torch.randn(2, 8, 7, 7), torch.randn(2, 8, 7, 7))
    assert torch.allclose(flow.sum(2), torch.tensor(1 / 49), atol=1e-6)


def crops(num, flips=True, seed=0):
    """Views whose nodes lie where those of others do, or their mirrors."""
    generator = np.random.default_rng(seed)
    return [
        [
            dict(
                box=(*(32 * generator.integers(0, 4, 2)), 224, 224),
                flip=bool(flips and generator.integers(2)),
                size=224,
            )
            for _ in range(2)
        ]
        for _ in range(num)
    ]


def test_features_of_position_alone_gain_nothing():
    maps = torch.randn(1, 16, 7, 7).expand(6, -1, -1, -1)
    results = score_maps(maps, maps, crops(6))
    pooled = pool_results(results)
    assert pooled.accuracy == pooled.same_position == pooled.other_image
    assert pooled.gain == 0
    assert 0 < pooled.same_position < 1
    # Each node to that of its own number, counted by hand.
    hits = [
        correspondences(*pair)[node, node]
        for pair in crops(6)
        for node in range(49)
        if correspondences(*pair)[node].any()
    ]
    assert pooled.same_position == pytest.approx(np.mean(hits))


def test_features_of_content_gain():
    """Each place of an image has features that no other has.

    At the border of the overlap nodes have a neighbour for a partner, which
    they do not resemble.
    """
    views = crops(8, flips=False)
    contents = torch.randn(8, 64, 10, 10)
    maps = [
        torch.stack(
            [
                content[:, top : top + 7, left : left + 7]
                for content, pair in zip(contents, views, strict=True)
                for left, top in [np.array(pair[number]['box'][:2]) // 32]
            ]
        )
        for number in (0, 1)
    ]
    pooled = pool_results(score_maps(*maps, views))
    assert pooled.accuracy > 0.75 > pooled.same_position
    assert pooled.other_image == pytest.approx(pooled.chance, abs=0.1)
    assert pooled.gain == pooled.accuracy - pooled.other_image


def test_another_image_is_scored_by_the_truth_of_the_own_one():
    views, maps = crops(3), torch.randn(2, 3, 16, 7, 7)
    results = score_maps(*maps, views)
    for index, result in enumerate(results):
        following = (index + 1) % 3
        flow = match_views(maps[0, index, None], maps[1, following, None])
        truth = correspondences(*views[index])
        (alone,) = score_matching(flow.numpy(), [truth])
        assert result.other_image == alone.accuracy


def test_the_only_image_of_a_batch_has_no_other():
    views, maps = crops(3), torch.randn(2, 3, 16, 7, 7)
    first = score_maps(*maps[:, :2], views[:2])
    (last,) = score_maps(*maps[:, 2:], views[2:])
    assert np.isnan(last.other_image) and np.isnan(last.gain)
    assert last.accuracy == score_maps(*maps, views)[2].accuracy
    pooled = pool_results([*first, last])
    assert pooled.num_nodes == sum(r.num_nodes for r in [*first, last])
    assert pooled.other_image == pool_results(first).other_image


def test_errors_are_the_spread_over_draws_of_images():
    """Images of which some are hard: nodes of one are not independent."""
    generator = np.random.default_rng(0)
    truth = np.eye(9, dtype=bool)

    def measure():
        ease = generator.beta(1, 1, (100, 1, 1))
        flows, others = (
            np.where(generator.random((100, 9, 1)) < share, truth, ~truth)
            for share in (ease, ease / 2)
        )
        results = score_matching(flows, [truth] * 100, others=others)
        return bootstrap(matching_sums(results), matching_figures)

    draws = [measure() for _ in range(150)]
    for name in ('accuracy', 'other_image', 'gain'):
        spread = np.std([draw[name].value for draw in draws], ddof=1)
        stated = np.mean([draw[name].error for draw in draws])
        assert stated == pytest.approx(spread, rel=0.15)
        if name == 'accuracy':
            binomial = (0.25 / 900) ** 0.5
            assert stated > 1.5 * binomial
