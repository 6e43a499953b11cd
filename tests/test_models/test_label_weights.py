"""Eq. 1 and 2 of "Cheaper Pre-training Lunch"."""

import pytest
import torch

from mmselfemd.models.label_weights import (
    label_weights,
    region_masks,
    region_of_positions,
)

# Of an image of 12 x 12; the map is 3 x 3.
REGIONS = [(0, 0, 4, 4), (4, 0, 8, 4), (0, 4, 4, 8), (4, 4, 8, 8)]
REGION = [[0, 1, 1], [2, 3, 3], [2, 3, 3]]


def field(seed=0):
    return torch.rand(
        3, 3, 12, 12, generator=torch.Generator().manual_seed(seed)
    )


def weights_of(g, threshold):
    masks = region_masks(REGIONS, (12, 12))
    return label_weights(g, masks, torch.tensor(REGION), threshold)


def as_printed(g, threshold):
    """Eq. 2, position by position and pixel by pixel."""
    weights = torch.zeros(4, 3, 3)
    for j in range(3):
        for k in range(3):
            sums = [0.0] * 4
            for h in range(12):
                for w in range(12):
                    for i, (left, top, width, height) in enumerate(REGIONS):
                        inside = (
                            left <= w < left + width
                            and top <= h < top + height
                        )
                        sums[i] += g[j, k, h, w].item() * inside
            r, total = REGION[j][k], sum(sums)
            weights[r, j, k] = max(threshold, sums[r] / total)
            for i in set(range(4)) - {r}:
                weights[i, j, k] = (
                    (1 - weights[r, j, k]) * sums[i] / (total - sums[r])
                )
    return weights


@pytest.mark.parametrize('threshold', [0.0, 0.3, 0.7])
def test_weights_are_those_of_eq_2(threshold):
    g = field() * field(1) ** 4
    found = weights_of(g, threshold)
    torch.testing.assert_close(found, as_printed(g, threshold))
    torch.testing.assert_close(found.sum(0), torch.ones(3, 3))


def test_the_threshold_acts_where_the_field_says_less():
    g = field()
    g[0, 0] = 1e-3
    g[0, 0, :4, :4] = 1  # nearly all that (0, 0) sees is its own region
    found = weights_of(g, 0.7)
    assert found[0, 0, 0] == pytest.approx(16 / (16 + 0.128))
    assert found[3, 2, 2] == pytest.approx(0.7)
    # The others share the rest by what is seen of them.
    seen = g[2, 2, :4, 4:].sum() / (g[2, 2].sum() - g[2, 2, 4:, 4:].sum())
    assert found[1, 2, 2] == pytest.approx(0.3 * seen.item())


def test_with_a_threshold_of_1_it_is_block_wise_classification():
    own = torch.nn.functional.one_hot(torch.tensor(REGION), 4)
    assert torch.equal(weights_of(field(), 1.0), own.permute(2, 0, 1).float())


def test_a_field_within_its_region_has_its_label_alone():
    g = torch.zeros(3, 3, 12, 12)
    for j in range(3):
        for k in range(3):
            g[j, k, 4 * j : 4 * j + 4, 4 * k : 4 * k + 4] = 1
    found = weights_of(g, 0.7)
    assert found.isfinite().all()
    assert torch.equal(found.argmax(0), torch.tensor(REGION))
    assert torch.equal(found.amax(0), torch.ones(3, 3))


def test_positions_lie_in_the_region_of_the_middle_of_their_cell():
    masks = region_masks(REGIONS, (12, 12))
    assert masks.sum((1, 2)).tolist() == [16, 32, 32, 64]
    assert region_of_positions(masks, (3, 3)).tolist() == REGION
    # A border at 5 of 12 cuts the second of three cells left of its middle.
    regions = [(0, 0, 5, 5), (5, 0, 7, 5), (0, 5, 5, 7), (5, 5, 7, 7)]
    masks = region_masks(regions, (12, 12))
    assert region_of_positions(masks, (3, 3)).tolist() == REGION


def test_the_published_size_has_4_10_10_and_25_positions():
    regions = [
        (0, 0, 64, 64),
        (64, 0, 160, 64),
        (0, 64, 64, 160),
        (64, 64, 160, 160),
    ]
    region = region_of_positions(region_masks(regions, (224, 224)), (7, 7))
    assert torch.bincount(region.flatten()).tolist() == [4, 10, 10, 25]


def test_regions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='do not tile'):
        region_masks(REGIONS[:3], (12, 12))
    with pytest.raises(ValueError, match='do not tile'):
        region_masks([(0, 0, 13, 12), (0, 0, 1, 1)], (12, 12))
    masks = region_masks(REGIONS, (12, 12))
    with pytest.raises(ValueError, match='region 0 has no position'):
        region_of_positions(masks, (1, 1))
