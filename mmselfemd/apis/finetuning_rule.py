"""A rule of thumb for the settings of a fine-tuning.

``docs/two_commands.md`` has the source of each line.
"""

import math
from typing import NamedTuple

from mmselfemd.errors import UserError

from .architectures import Architecture
from .batches import Batches, share_out
from .machine import Machine
from .pretraining_rule import COCO

#: The published protocol: 90,000 steps of 16 images on COCO; the learning
#: rate falls after 2/3 and 8/9 of them, and rises over at most 1000.
BATCH, STEPS, WARM_UP = 16, 90_000, 1000
MILESTONES = (2 / 3, 8 / 9)
#: A run whose 1000 steps would be more than this share rises over less.
WARM_UP_SHARE = 1 / 30
#: One of a single iteration ends where it begins, and the rate stays there.
LEAST_WARM_UP = 2

#: Evaluations of a run, and as many checkpoints.
EVALUATIONS = 10
#: Images whose statistics the norms take before each, at most.
PRECISE_BN_IMAGES = 3200

_FIXED_MEMORY = 1.5  # GiB: weights, gradients, momentum; the context


class FinetuningChoice(NamedTuple):
    """Settings of a fine-tuning; lengths are in iterations.

    Attributes:
        batches (Batches): The images of a step.
        learning_rate (float): At its highest.
        iterations (int): Batches in all: ``train_cfg.max_iters``.
        warm_up (int): Of which the learning rate rises.
        milestones (tuple[int, int]): After which it falls to a tenth.
        interval (int): From one evaluation to the next.
        precise_bn_images (int): See :data:`PRECISE_BN_IMAGES`.
    """

    batches: Batches
    learning_rate: float
    iterations: int
    warm_up: int
    milestones: tuple[int, int]
    interval: int
    precise_bn_images: int


def choose_finetuning(
    num_images: int,
    architecture: Architecture,
    published_rate: float,
    machine: Machine,
    epochs: int | None = None,
    iterations: int | None = None,
) -> FinetuningChoice:
    """Choose the settings of a fine-tuning.

    Args:
        num_images (int): Labelled images that are trained on.
        architecture (Architecture): The backbone.
        published_rate (float): The detector's learning rate for
            :data:`BATCH` images a step.
        machine (Machine): What it is trained on.
        epochs (int, optional): Rounds through the images, given by the user.
            Defaults to None.
        iterations (int, optional): Batches, given by the user. Defaults to
            None.

    Returns:
        FinetuningChoice: The settings.

    Raises:
        UserError: If the user's length is none, or two are given.
    """
    if epochs is not None and iterations is not None:
        raise UserError('--epochs and --iterations: name one of them')
    for name, value in (('epochs', epochs), ('iterations', iterations)):
        if value is not None and value < 1:
            raise UserError(f'--{name} {value}: at least 1 is needed')
    batches = share_out(
        BATCH,
        machine,
        architecture.image_memory,
        _FIXED_MEMORY,
        least=1,
        most_workers=2,
    )
    counts = batches.accumulative_counts
    if iterations is None:
        steps = steps_for(num_images)
        if epochs is not None:
            steps = math.ceil(epochs * num_images / batches.num_images)
        iterations = steps * counts
    first, second = (int(share * iterations) for share in MILESTONES)
    warm_up = min(WARM_UP * counts, round(WARM_UP_SHARE * iterations))
    # Evaluations and checkpoints fall on whole steps of the optimiser.
    interval = max(1, round(iterations / EVALUATIONS / counts)) * counts
    return FinetuningChoice(
        batches,
        round(published_rate * batches.num_images / BATCH, 6),
        iterations,
        max(LEAST_WARM_UP, warm_up),
        (first, second),
        interval,
        min(num_images, PRECISE_BN_IMAGES),
    )


def steps_for(num_images: int) -> int:
    """Steps of the optimiser for a number of labelled images.

    COCO's 90,000, by the square root of the images.

    Args:
        num_images (int): Images, at least 1.

    Returns:
        int: The steps.
    """
    return max(1, round(STEPS * math.sqrt(num_images / COCO)))
