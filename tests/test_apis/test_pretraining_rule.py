"""The rule of thumb for a pre-training."""

from math import ceil

import pytest

from mmselfemd.apis.architectures import ARCHITECTURES
from mmselfemd.apis.machine import Machine
from mmselfemd.apis.pretraining_config import pretraining_notes
from mmselfemd.apis.pretraining_rule import (
    choose_pretraining,
    epochs_for,
    step_size,
)
from mmselfemd.errors import UserError

GPU = Machine(1, 24, 8)
NUMBERS = [2, 5, 31, 32, 100, 300, 3000, 10_240, 118_287, 10**6, 10**7]


def choose(num_images, machine=GPU, arch='resnet50', **kwargs):
    return choose_pretraining(
        num_images, ARCHITECTURES[arch], machine, **kwargs
    )


def test_coco_on_eight_gpus_is_the_published_recipe():
    choice = choose(118_287, Machine(8, 11, 40))
    assert choice.batches.num_images == 256
    assert choice.batches.num_at_a_time == 256
    assert choice.batches.batch_size == 32
    assert choice.learning_rate == pytest.approx(0.2)
    assert (choice.epochs, choice.warm_up) == (800, 4)
    assert choice.momentum == 0.99


def test_imagenet_and_the_small_study_are_what_was_run():
    assert epochs_for(1_281_167) == 300
    small = choose(3000, epochs=40)
    assert small.batches.num_images == 64
    assert small.learning_rate == pytest.approx(0.05)
    assert small.momentum == 0.98


@pytest.mark.parametrize('num_images', NUMBERS)
@pytest.mark.parametrize('machine', [GPU, Machine(0, 4, 2), Machine(6, 8, 8)])
@pytest.mark.parametrize('arch', ARCHITECTURES)
def test_every_choice_can_train(num_images, machine, arch):
    choice = choose(num_images, machine, arch)
    batches = choice.batches
    assert batches.num_at_a_time <= num_images  # an epoch has a batch
    assert choice.learning_rate == pytest.approx(
        0.2 * batches.num_images / 256, rel=1e-3
    )
    assert 1 <= choice.warm_up <= 4
    assert 1 <= choice.interval <= choice.epochs


@pytest.mark.parametrize('num_gpus', range(1, 10))
def test_an_epoch_of_few_images_holds_a_step(num_gpus):
    """Processes that are no power of two take a step of another size."""
    for num_images in range(2, 200):
        batches = choose(num_images, Machine(num_gpus, 24, 8)).batches
        own = ceil(num_images / batches.num_processes)
        assert own // batches.batch_size >= batches.accumulative_counts


@pytest.mark.parametrize('machine', [GPU, Machine(0, 4, 2)])
@pytest.mark.parametrize('num_images', NUMBERS)
def test_a_validation_costs_little_beside_the_training(num_images, machine):
    choice = choose(num_images, machine)
    assert 64 <= choice.val_images <= 512
    shown = choice.interval * num_images
    assert choice.val_images <= max(64, shown / 10)


def test_a_single_epoch_of_few_images_is_not_half_validation():
    assert choose(343, epochs=1).val_images == 64
    assert choose(3000, epochs=1).val_images == 300
    assert choose(118_287).val_images == 512


def test_more_images_never_make_smaller_steps_or_more_epochs():
    sizes = [step_size(number) for number in NUMBERS]
    assert sizes == sorted(sizes)
    assert sizes[0] == 2 and sizes[-1] == 256
    assert step_size(32) == step_size(1000) == 32
    epochs = [epochs_for(number) for number in NUMBERS]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[0] == 800 and 1 <= epochs[-1] < 300


def test_the_users_epochs_count():
    choice = choose(300, epochs=1)
    assert (choice.epochs, choice.warm_up, choice.interval) == (1, 1, 1)
    with pytest.raises(UserError, match='--epochs 0'):
        choose(300, epochs=0)


@pytest.mark.parametrize(
    'arch, advice',
    [
        ('resnet50', '--arch resnet18 and fewer --epochs take less.'),
        ('resnet18', 'Fewer --epochs take less.'),
        ('mobilenet-v2', 'Fewer --epochs take less.'),  # the quickest
    ],
)
def test_no_slower_network_is_advised(arch, advice):
    cpu, architecture = Machine(0, 16, 2), ARCHITECTURES[arch]
    choice = choose_pretraining(300, architecture, cpu)
    *_, last = pretraining_notes(300, architecture, cpu, choice)
    assert last.endswith(f' hours. {advice}')


def test_one_image_is_no_data_set():
    with pytest.raises(UserError, match='two'):
        choose(1)


def test_a_checkpoint_comes_sooner_without_a_gpu():
    assert choose(300, Machine(0, 24, 8)).interval < choose(300).interval


@pytest.mark.parametrize('epochs', [2, 10, 39, 800])
def test_the_rate_rises_where_an_epoch_is_one_iteration(epochs):
    choice = choose(50, epochs=epochs)
    assert choice.batches.num_at_a_time == 32
    # mmengine's rise over one iteration ends where it begins.
    assert choice.warm_up >= 2
