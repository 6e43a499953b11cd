"""Spread and rank of outputs."""

from math import isnan

import numpy as np
import pytest
import torch

from mmselfemd.evaluation.collapse import (
    effective_rank,
    isotropic_rank,
    node_spread,
    relative_rank,
    spread,
)


def test_isotropic_outputs_have_spread_and_rank_one():
    outputs = torch.randn(5000, 32)
    assert spread(outputs) == pytest.approx(1, abs=0.02)
    assert relative_rank(outputs) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize('noise', [0, 1e-6])
def test_collapsed_outputs_have_none(noise):
    outputs = torch.ones(100, 32) + noise * torch.randn(100, 32)
    assert (outputs != 1).any() == (noise > 0)
    assert spread(outputs) == pytest.approx(0, abs=1e-4)
    assert effective_rank(outputs) == 0


def test_one_output_does_not_say_whether_outputs_differ():
    for outputs in (torch.randn(1, 32), torch.ones(1, 2)):
        assert isnan(spread(outputs)) and isnan(relative_rank(outputs))


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


# What a node z of image b at position p is: z(b, p).
NODES = dict(
    position=lambda b, p, c: torch.randn(1, p, c).expand(b, p, c),
    image=lambda b, p, c: torch.randn(b, 1, c).expand(b, p, c),
    nothing=lambda b, p, c: torch.randn(1, 1, c).expand(b, p, c),
    both=torch.randn,
)


@pytest.mark.parametrize('kind', NODES)
def test_spread_within_and_across_tell_what_nodes_depend_on(kind):
    nodes = NODES[kind](40, 30, 16)
    whole, within, across = node_spread(nodes)
    expected = dict(
        position=(whole, 0), image=(0, whole), nothing=(0, 0), both=(1, 1)
    )
    assert (within, across) == pytest.approx(expected[kind], abs=0.05)
    assert whole == pytest.approx(0 if kind == 'nothing' else 1, abs=0.05)
    assert whole == pytest.approx(spread(nodes.flatten(0, 1)), abs=1e-6)


def test_variances_of_parts_and_of_their_means_add_up():
    # Of one channel: normalised, its nodes are 1 and -1.
    nodes = torch.randn(6, 9, 1) + torch.randn(6, 1, 1)
    whole, within, across = node_spread(nodes)
    signs = nodes.sign().double().numpy()
    assert whole**2 == pytest.approx(signs.var())
    assert within**2 + signs.mean(1).var() == pytest.approx(whole**2)
    assert across**2 + signs.mean(0).var() == pytest.approx(whole**2)


def test_spread_of_nodes_does_not_go_by_their_length_or_precision():
    nodes = torch.randn(8, 9, 16)
    scaled = nodes * torch.rand(8, 9, 1) * 50
    assert node_spread(scaled) == pytest.approx(node_spread(nodes), abs=1e-5)
    half = node_spread(nodes.bfloat16())
    assert half == pytest.approx(node_spread(nodes), abs=1e-2)
