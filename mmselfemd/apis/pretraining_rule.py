"""A rule of thumb for the settings of a pre-training.

``docs/two_commands.md`` has the source of each line.
"""

import math
from typing import NamedTuple

from mmselfemd.errors import UserError

from .architectures import Architecture
from .batches import Batches, power_of_two, share_out
from .machine import Machine

#: The paper's: 800 epochs of COCO in batches of 256 at a learning rate of 0.2,
#: which rises over 4 epochs; 300 epochs of ImageNet.
BATCH, RATE, EPOCHS, WARM_UP = 256, 0.2, 800, 4
COCO, IMAGENET, IMAGENET_EPOCHS = 118_287, 1_281_167, 300

#: Steps that an epoch has at least, where the batch can be chosen so.
LEAST_STEPS = 40
#: Batch norms learn little of fewer images.
LEAST_BATCH = 32

#: Key momentum at the start, and the steps of a run that is short.
MOMENTUM, SHORT_MOMENTUM, SHORT = 0.99, 0.98, 10_000

#: Images of a validation: a share of those shown since the last one, but
#: enough for a figure, and not more than it needs.
VAL_SHARE, LEAST_VAL, MOST_VAL = 10, 64, 512

#: Steps from one checkpoint to the next, with a GPU and without.
_STEPS_BETWEEN = (1000, 100)
_FIXED_MEMORY = 1.5  # GiB: weights, twice, gradients, momentum; the context


class PretrainingChoice(NamedTuple):
    """Settings of a pre-training.

    Attributes:
        batches (Batches): The images of a step.
        learning_rate (float): At its highest.
        epochs (int): Rounds through the images.
        warm_up (int): Of which the learning rate rises.
        momentum (float): Of the key encoder, at the start.
        interval (int): Epochs from one checkpoint to the next.
        val_images (int): Images of each validation, at most.
        steps (int): Of the optimiser, in all.
    """

    batches: Batches
    learning_rate: float
    epochs: int
    warm_up: int
    momentum: float
    interval: int
    val_images: int
    steps: int


def choose_pretraining(
    num_images: int,
    architecture: Architecture,
    machine: Machine,
    epochs: int | None = None,
) -> PretrainingChoice:
    """Choose the settings of a pre-training.

    Args:
        num_images (int): Images that there are.
        architecture (Architecture): What is trained.
        machine (Machine): What it is trained on.
        epochs (int, optional): Given by the user. Defaults to None.

    Returns:
        PretrainingChoice: The settings.

    Raises:
        UserError: If there are fewer than two images, or no epochs.
    """
    if num_images < 2:
        raise UserError(
            f'{num_images} photograph can be read, and batch norms need two '
            'at least; a useful pre-training has hundreds'
        )
    if epochs is not None and epochs < 1:
        raise UserError(f'--epochs {epochs}: at least 1 is needed')
    batches = share_out(
        step_size(num_images),
        machine,
        architecture.view_memory,
        _FIXED_MEMORY,
        least=2,
        most_workers=4,
    )
    # Where the GPUs are no power of two, an epoch of few images might end
    # before a step does.
    own = math.ceil(num_images / batches.num_processes)
    counts = min(batches.accumulative_counts, own // batches.batch_size)
    batches = batches._replace(accumulative_counts=counts)
    epochs = epochs or epochs_for(num_images)
    epoch_length = num_images // batches.num_at_a_time
    steps = max(1, epoch_length * epochs // batches.accumulative_counts)
    between = _STEPS_BETWEEN[not machine.num_gpus]
    interval = min(epochs, max(1, between * epochs // steps))
    return PretrainingChoice(
        batches,
        round(RATE * batches.num_images / BATCH, 6),
        epochs,
        # One of a single iteration would end where it begins.
        warm_up=min(WARM_UP, max(1 if epoch_length > 1 else 2, epochs // 20)),
        momentum=MOMENTUM if steps >= SHORT else SHORT_MOMENTUM,
        interval=interval,
        val_images=min(
            MOST_VAL, max(LEAST_VAL, num_images * interval // VAL_SHARE)
        ),
        steps=steps,
    )


def step_size(num_images: int) -> int:
    """Images of a step of the optimiser.

    The published 256; fewer where an epoch would have fewer than
    :data:`LEAST_STEPS` steps, but not fewer than :data:`LEAST_BATCH` unless
    there are fewer.

    Args:
        num_images (int): Images that there are, at least 2.

    Returns:
        int: A power of two.
    """
    wanted = min(BATCH, max(LEAST_BATCH, num_images // LEAST_STEPS))
    return power_of_two(min(wanted, num_images))


def epochs_for(num_images: int) -> int:
    """Rounds through the images.

    The published 800 up to as many images as COCO has; beyond, the power law
    through that and ImageNet's 300.

    Args:
        num_images (int): Images that there are.

    Returns:
        int: The epochs.
    """
    if num_images <= COCO:
        return EPOCHS
    slope = math.log(EPOCHS / IMAGENET_EPOCHS) / math.log(IMAGENET / COCO)
    return max(1, round(EPOCHS * (COCO / num_images) ** slope))
