"""How the images of a step are shared out: processes, batch, accumulation."""

from typing import NamedTuple

from mmselfemd.plurals import counted

from .machine import Machine

#: Share of the memory that a step may take, on a GPU and of the RAM; the rest
#: is for what convolutions work in, and for others.
_SHARE_OF_GPU, _SHARE_OF_RAM = 0.8, 0.5


class Batches(NamedTuple):
    """The images of a step of the optimiser.

    Attributes:
        num_processes (int): One for each GPU that is used, or one.
        batch_size (int): Images of a process at a time.
        accumulative_counts (int): Batches whose gradients are summed.
        num_workers (int): Processes that load, for each.
    """

    num_processes: int
    batch_size: int
    accumulative_counts: int
    num_workers: int

    @property
    def num_images(self) -> int:
        """Images of a step, over all processes."""
        return self.num_at_a_time * self.accumulative_counts

    @property
    def num_at_a_time(self) -> int:
        """Images of an iteration, over all processes."""
        return self.batch_size * self.num_processes

    def __str__(self) -> str:
        return (
            f'{self.num_images} images a step of the optimiser = '
            f'{self.batch_size} x {counted(self.num_processes, "process")} x '
            f'{self.accumulative_counts} accumulated'
        )


def share_out(
    num_images: int,
    machine: Machine,
    image_memory: float,
    fixed_memory: float,
    least: int,
    most_workers: int,
) -> Batches:
    """Share the images of a step out.

    Each GPU takes as many at a time as fit into its memory, a power of two;
    what is then missing of the step is accumulated.

    Args:
        num_images (int): Images that a step is to have; where the GPUs are
            no power of two it becomes some other number, of about that size.
        machine (Machine): What there is.
        image_memory (float): GiB that an image takes.
        fixed_memory (float): GiB that a process takes without images.
        least (int): Images that a process takes in any case.
        most_workers (int): Loading processes of each, at most.

    Returns:
        Batches: The numbers.
    """
    processes = max(1, min(machine.num_gpus, num_images // least))
    share = _SHARE_OF_GPU if machine.num_gpus else _SHARE_OF_RAM
    room = share * machine.memory - fixed_memory
    fits = max(least, int(room / image_memory))
    batch_size = power_of_two(min(fits, max(least, num_images // processes)))
    counts = max(1, round(num_images / (batch_size * processes)))
    workers = max(1, min(most_workers, machine.num_cores // processes))
    return Batches(processes, batch_size, counts, workers)


def power_of_two(number: int) -> int:
    """The largest power of two that is not above a number.

    Args:
        number (int): At least 1.

    Returns:
        int: It.
    """
    return 1 << (number.bit_length() - 1)
