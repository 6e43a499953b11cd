"""The host's generators."""

import random
from itertools import product

import numpy as np
import pytest
import torch

from mmselfemd.random_state import (
    derived_seed,
    kept_random_state,
    seed_generators,
)


def draw():
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_what_is_drawn_meanwhile_changes_nothing():
    state = torch.get_rng_state()
    random.seed(1)
    np.random.seed(1)
    expected = draw()
    torch.set_rng_state(state)
    random.seed(1)
    np.random.seed(1)
    with kept_random_state():
        draw()
    assert draw() == expected


def test_a_seed_decides_what_is_drawn_meanwhile():
    drawn = []
    for seed in (3, 3, 4):
        draw()
        with kept_random_state(seed):
            drawn.append(draw())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize('devices', [False, True])
def test_a_seed_sets_all_generators(devices):
    drawn = []
    for seed in (2**40 + 3, 2**40 + 3, 4):  # numpy's takes 32 bits
        draw()
        seed_generators(seed, devices)
        drawn.append(draw())
    assert drawn[0] == drawn[1]
    assert all(a != b for a, b in zip(drawn[0], drawn[2], strict=True))


def test_derived_seeds_are_unrelated():
    seeds = [derived_seed(*parts) for parts in product(range(12), repeat=3)]
    assert len(set(seeds)) == len(seeds) and derived_seed(1, 2) in range(2**32)
    # As of fair coins: each of 32 bits is set in about half of 1728 seeds,
    # and differs between neighbours in about half of them (4 sigma: 0.05).
    bits = np.array(seeds, dtype=np.uint32)[:, None] >> np.arange(32) & 1
    assert abs(bits.mean(0) - 0.5).max() < 0.06
    assert abs((bits[1:] ^ bits[:-1]).mean(0) - 0.5).max() < 0.06
