"""The host's random generators: left as they were, or set for a moment."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def kept_random_state(seed: int | None = None) -> Iterator[None]:
    """Give back the generators of Python, numpy and torch as they were.

    What is done meanwhile, such as drawing a picture or a validation, does
    not change what training draws later.

    Args:
        seed (int, optional): Where the generators start meanwhile.
            Defaults to None: where they are.
    """
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    if seed is not None:
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
        torch.set_rng_state(state[2])
