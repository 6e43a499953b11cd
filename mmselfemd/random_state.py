"""Random generators: seeded from what they shall depend on, or kept."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derived_seed(*parts: int) -> int:
    """Mix a seed with what it is for, such as an epoch and an image.

    Neighbouring parts give unrelated seeds, which adding them would not
    (image 3 of epoch 4 would be image 4 of epoch 3).

    Args:
        *parts (int): Numbers >= 0; their order counts.

    Returns:
        int: A seed in [0, 2**32).
    """
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def seed_generators(seed: int, devices: bool = True) -> None:
    """Seed the global generators of Python, numpy and torch.

    Args:
        seed (int): The seed, >= 0.
        devices (bool): Whether to seed the accelerators too; a worker of a
            data loader must not touch them. Defaults to True.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if devices:
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@contextmanager
def kept_random_state(
    seed: int | None = None, devices: bool = True
) -> Iterator[None]:
    """Give back the generators of Python, numpy and torch as they were.

    What is done meanwhile, such as drawing a picture or a validation, does
    not change what training draws later.

    Args:
        seed (int, optional): Where the generators of the host start
            meanwhile. Defaults to None: where they are.
        devices (bool): Whether to give back that of the current CUDA device
            too, if there is one; a worker of a data loader must not touch
            it. Defaults to True.
    """
    state = random.getstate(), np.random.get_state()
    cuda_devices = (
        [torch.cuda.current_device()]
        if devices and torch.cuda.is_available()
        else []
    )
    try:
        with torch.random.fork_rng(cuda_devices):
            if seed is not None:
                seed_generators(seed, devices=False)
            yield
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
