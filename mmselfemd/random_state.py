"""Random generators: left as they were, or set for a moment."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def kept_random_state(
    seed: int | None = None, cuda: bool = True
) -> Iterator[None]:
    """Give back the generators of Python, numpy and torch as they were.

    What is done meanwhile, such as drawing a picture or a validation, does
    not change what training draws later.

    Args:
        seed (int, optional): Where the generators of the host start
            meanwhile. Defaults to None: where they are.
        cuda (bool): Whether to give back that of the current CUDA device too,
            if there is one; a worker of a data loader must not touch it.
            Defaults to True.
    """
    state = random.getstate(), np.random.get_state()
    devices = (
        [torch.cuda.current_device()]
        if cuda and torch.cuda.is_available()
        else []
    )
    try:
        with torch.random.fork_rng(devices):
            if seed is not None:
                random.seed(seed)
                np.random.seed(seed % 2**32)
                torch.default_generator.manual_seed(seed)
            yield
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
