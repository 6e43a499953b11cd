"""The host's generators."""

import random

import numpy as np
import torch

from mmselfemd.random_state import kept_random_state


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
