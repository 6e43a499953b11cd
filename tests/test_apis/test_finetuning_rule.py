"""The rule of thumb for a fine-tuning."""

import pytest
import torch
from mmengine.optim import LinearLR

from mmselfemd.apis.architectures import ARCHITECTURES
from mmselfemd.apis.finetuning_rule import choose_finetuning, steps_for
from mmselfemd.apis.machine import Machine
from mmselfemd.errors import UserError

GPU = Machine(1, 24, 8)


def choose(num_images, machine=GPU, rate=0.02, **kwargs):
    return choose_finetuning(
        num_images, ARCHITECTURES['resnet50'], rate, machine, **kwargs
    )


def test_coco_on_eight_gpus_is_the_published_protocol():
    choice = choose(118_287, Machine(8, 24, 40))
    assert choice.batches.num_at_a_time == 16
    assert choice.learning_rate == pytest.approx(0.02)
    assert choice.iterations == 90_000
    assert choice.milestones == (60_000, 80_000)
    assert choice.warm_up == 1000
    assert choice.precise_bn_images == 3200


@pytest.mark.parametrize(
    'num_images, published',
    [(16_551, 24_000), (2975, 12_000), (118_287, 90_000)],
)
def test_published_lengths_are_met_within_a_half(num_images, published):
    assert 1 <= steps_for(num_images) / published < 1.5


@pytest.mark.parametrize('memory', [4, 11, 80])
@pytest.mark.parametrize('num_images', [1, 20, 300, 5000])
def test_a_smaller_memory_makes_the_same_run(memory, num_images):
    choice = choose(num_images, Machine(1, memory, 8))
    large = choose(num_images, Machine(1, 1000, 8))
    counts = choice.batches.accumulative_counts
    assert large.batches.accumulative_counts == 1
    assert choice.iterations == large.iterations * counts
    assert choice.learning_rate == large.learning_rate
    assert choice.interval % counts == 0
    assert 0 < choice.warm_up < choice.milestones[0] < choice.milestones[1]
    assert choice.milestones[1] < choice.iterations


def test_more_images_take_more_steps_and_fewer_rounds():
    numbers = [1, 10, 100, 1000, 10_000, 100_000]
    steps = [steps_for(number) for number in numbers]
    assert steps == sorted(steps) and steps[0] >= 1
    rounds = [s / n for s, n in zip(steps, numbers, strict=True)]
    assert rounds == sorted(rounds, reverse=True)


@pytest.mark.parametrize('machine', [GPU, Machine(3, 24, 8)])
def test_the_rate_is_in_proportion_to_the_step(machine):
    choice = choose(300, machine, rate=0.01)
    images = choice.batches.num_images
    assert choice.learning_rate == pytest.approx(0.01 * images / 16)


def test_the_users_length_counts():
    assert choose(300, iterations=7).iterations == 7
    choice = choose(320, epochs=3)
    shown = choice.iterations * choice.batches.num_at_a_time
    assert shown == 3 * 320
    for wrong in (dict(epochs=0), dict(iterations=-1)):
        with pytest.raises(UserError, match='at least 1'):
            choose(300, **wrong)
    with pytest.raises(UserError, match='one of them'):
        choose(300, epochs=1, iterations=1)


@pytest.mark.parametrize('iterations', [2, 10, 40, 2000])
def test_the_rate_of_a_short_run_rises_to_its_height(iterations):
    choice = choose(300, iterations=iterations)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    rise = LinearLR(optimizer, 0.001, end=choice.warm_up, by_epoch=False)
    rates = []
    for _ in range(iterations):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        rise.step()
    assert rates[0] == pytest.approx(0.001)
    assert rates[-1] == pytest.approx(1)
