"""Spread and rank of outputs."""

import numpy as np
import pytest
import torch

from mmselfemd.evaluation.collapse import (
    effective_rank,
    isotropic_rank,
    relative_rank,
    spread,
)


def test_isotropic_outputs_have_spread_and_rank_one():
    outputs = torch.randn(5000, 32)
    assert spread(outputs) == pytest.approx(1, abs=0.02)
    assert relative_rank(outputs) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize('noise', [0, 1e-9])
def test_collapsed_outputs_have_none(noise):
    outputs = torch.ones(100, 32) + noise * torch.randn(100, 32)
    assert spread(outputs) == pytest.approx(0, abs=1e-4)
    assert effective_rank(outputs) == 0


def test_length_does_not_matter():
    outputs = torch.randn(100, 8)
    scaled = outputs * torch.rand(100, 1) * 50
    assert spread(scaled) == pytest.approx(spread(outputs), abs=1e-5)
    assert effective_rank(scaled) == pytest.approx(
        effective_rank(outputs), rel=1e-4
    )


@pytest.mark.parametrize('count', [5, 200])
def test_rank_is_the_entropy_of_the_singular_values(count):
    outputs = torch.randn(count, 16) * torch.arange(1, 17)
    rows = outputs.double().numpy()
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    values = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
    shares = values[values > 1e-9] / values.sum()
    expected = np.exp(-(shares * np.log(shares)).sum())
    assert effective_rank(outputs) == pytest.approx(expected, rel=1e-3)


def test_rank_counts_directions():
    corners = torch.eye(8).repeat(50, 1)
    # Centred, n corners span n - 1 directions alike.
    assert effective_rank(corners) == pytest.approx(7, rel=1e-3)
    assert isotropic_rank(4, 256) <= 3
    assert relative_rank(corners) < 1
