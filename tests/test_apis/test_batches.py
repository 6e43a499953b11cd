"""How the images of a step are shared out."""

import pytest

from mmselfemd.apis.batches import power_of_two, share_out
from mmselfemd.apis.machine import Machine


def share(num_images=256, machine=None, image_memory=0.2, least=2):
    machine = machine or Machine(1, 24, 8)
    return share_out(num_images, machine, image_memory, 1.5, least, 4)


@pytest.mark.parametrize('gpus', [0, 1, 2, 4, 8])
@pytest.mark.parametrize('memory', [4, 11, 24, 80])
@pytest.mark.parametrize('num_images', [16, 32, 256])
def test_a_step_has_its_images_and_fits(gpus, memory, num_images):
    batches = share(num_images, Machine(gpus, memory, 16))
    assert batches.num_images == num_images
    assert batches.num_processes == max(gpus, 1)
    assert batches.batch_size >= 2
    room = memory * (0.8 if gpus else 0.5)
    if batches.batch_size > 2:
        assert 1.5 + 0.2 * batches.batch_size <= room


def test_more_memory_never_accumulates_more():
    counts = [
        share(machine=Machine(1, memory, 8)).accumulative_counts
        for memory in range(2, 100)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 1 and counts[-1] == 1


@pytest.mark.parametrize('gpus', [3, 5, 6, 7])
def test_any_number_of_gpus_makes_about_that_step(gpus):
    batches = share(256, Machine(gpus, 24, 16))
    assert batches.num_processes == gpus
    assert 256 / 2 < batches.num_images < 256 * 1.5


def test_gpus_that_no_image_is_left_for_are_not_used():
    batches = share(4, Machine(8, 24, 16))
    assert batches.num_processes == 2
    assert batches.num_images == 4


def test_cores_are_shared_between_processes():
    assert share(machine=Machine(4, 24, 8)).num_workers == 2
    assert share(machine=Machine(4, 24, 2)).num_workers == 1
    assert share(machine=Machine(1, 24, 64)).num_workers == 4


def test_power_of_two():
    assert [power_of_two(n) for n in (1, 2, 3, 4, 7, 8, 255, 256)] == [
        1,
        2,
        2,
        4,
        4,
        8,
        128,
        256,
    ]
