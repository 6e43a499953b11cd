"""How long the runs of a plan take together, and which fit into some hours."""

import re

import pytest

from mmselfemd.comparison.planner import Planner
from mmselfemd.comparison.runs import DetectorRun, PretrainingRun
from mmselfemd.comparison.timing import Seconds, lengths_within
from mmselfemd.comparison.wall_clock import wall_clock
from mmselfemd.errors import UserError


@pytest.fixture(scope='module')
def runs(settings, tmp_path_factory):
    """Of each of three seeds: random's detector, Self-EMD, its detector."""
    given = settings(seeds=3, fractions=(1.0,))
    return Planner(given, tmp_path_factory.mktemp('work')).plan().runs


def lasting(pretraining, detector):
    """The same for all of a kind."""
    return lambda run: (
        detector if isinstance(run, DetectorRun) else pretraining
    )


def test_one_at_a_time_they_take_the_sum(runs):
    assert wall_clock(runs, lasting(30, 17), 1) == 3 * (30 + 2 * 17)
    assert wall_clock([], lasting(30, 17), 2) == 0


def test_with_a_place_for_each_the_longest_chain_counts(runs):
    assert wall_clock(runs, lasting(30, 17), 9) == 30 + 17


def test_of_two_at_a_time_one_is_idle_at_the_end(runs):
    """Drawn by hand; the sum over two would be 96.

    One: random 0-17, random 17-34, Self-EMD 34-64, its detector 64-81.
    Other: Self-EMD 0-30, detector 30-47, random 47-64, Self-EMD 64-94, and
    its detector 94-111, which the one cannot begin at 81.
    """
    assert wall_clock(runs, lasting(30, 17), 2) == 111


def test_detectors_wait_for_their_own_backbone_alone(runs):
    kinds = [isinstance(run, PretrainingRun) for run in runs]
    assert kinds == [False, True, False] * 3
    # The third pre-training waits for a place, its detector for it.
    assert wall_clock(runs, lasting(1000, 1), 4) == 1 + 1000 + 1


def clock(runs, seconds, lengths, jobs):
    """Seconds of all, by what each kind takes."""
    taken = (
        seconds['selfemd'].of(lengths[0]),
        seconds['detector'].of(lengths[1]),
    )
    return wall_clock(runs, lasting(*taken), jobs)


@pytest.mark.parametrize('jobs', [1, 2, 4])
def test_hours_become_iterations(runs, jobs):
    seconds = dict(
        selfemd=Seconds(0.5, start=10),
        detector=Seconds(0.25, start=10, evaluations=20),
    )
    lengths = lengths_within(1.0, jobs, runs, seconds)
    assert 0.94 * 3600 < clock(runs, seconds, lengths, jobs) <= 0.95 * 3600
    # After the starts and evaluations, each kind has half.
    net = [3 * 0.5 * lengths[0], 6 * 0.25 * lengths[1]]
    assert net[0] == pytest.approx(net[1], rel=0.01)


def test_of_pre_training_whole_epochs_are_taken(runs):
    seconds = dict(selfemd=Seconds(1), detector=Seconds(1))
    free, _ = lengths_within(1.0, 1, runs, seconds)
    whole, _ = lengths_within(1.0, 1, runs, seconds, epoch=300)
    assert whole == 300 < free < 600
    with pytest.raises(UserError, match='has 600 iterations.* At least'):
        lengths_within(1.0, 1, runs, seconds, epoch=600)


def test_more_at_a_time_than_there_are_runs_changes_nothing(runs):
    seconds = dict(selfemd=Seconds(1), detector=Seconds(1))
    as_many = lengths_within(1.0, len(runs), runs, seconds)
    assert lengths_within(1.0, 1700, runs, seconds) == as_many


@pytest.mark.parametrize('epoch', [1, 15, 305])
@pytest.mark.parametrize('rates', [(1, 10), (10, 1), (2, 2), (0.1, 30)])
def test_the_hours_that_are_named_are_enough(runs, rates, epoch):
    seconds = {
        name: Seconds(rate, start=10, evaluations=60)
        for name, rate in zip(('selfemd', 'detector'), rates, strict=True)
    }
    with pytest.raises(UserError) as error:
        lengths_within(0.01, 1, runs, seconds, epoch)
    hours = float(re.search('At least ([0-9.]+) hours', str(error.value))[1])
    assert min(lengths_within(hours, 1, runs, seconds, epoch)) >= 20
    with pytest.raises(UserError):  # and not many too many
        lengths_within(0.8 * hours - 0.1, 1, runs, seconds, epoch)


def test_without_pre_training_all_goes_to_the_detectors(runs):
    detectors = [run for run in runs if isinstance(run, DetectorRun)]
    seconds = dict(detector=Seconds(0.25, start=100, evaluations=200))
    lengths = lengths_within(1.0, 1, detectors, seconds)
    assert lengths[0] == 0
    most = (0.95 * 3600 - 6 * 300) / (6 * 0.25)
    assert 0.999 * most - 1 < lengths[1] <= most
    with pytest.raises(UserError, match='take 0.5 hours.* At least 0.6'):
        lengths_within(0.2, 1, detectors, seconds)
