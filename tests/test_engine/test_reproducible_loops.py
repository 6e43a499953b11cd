"""A run is a function of its config and seed: resumed, killed, laid out anew.

Everything is compared bit by bit, on the CPU in float32.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import resumable_runs  # noqa: E402

WORKERS = {
    'train_dataloader.num_workers': 2,
    'train_dataloader.persistent_workers': True,
}
BY_EPOCH = {'default_hooks.checkpoint.by_epoch': True}
NO_SEED = {'randomness.seed': None}


def run_all(*tasks):
    """Run in processes of their own, which import this stack once."""
    result = subprocess.run(
        [sys.executable, resumable_runs.__file__, json.dumps(tasks)],
        capture_output=True,
        text=True,
        env=os.environ | dict(OMP_NUM_THREADS='1'),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def read(work_dir, rank=0):
    """The only record of each step, and the weights at the end."""
    curve = resumable_runs.read_curve(work_dir, rank)
    assert all(len(records) == 1 for records in curve.values())
    final = torch.load(work_dir / f'final_{rank}')
    return {step: records[0] for step, records in curve.items()}, final


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def assert_goes_on(straight, resumed, step, rank=0):
    """From `step` on, everything is as in the uninterrupted run."""
    straight_curve, straight_final = read(straight, rank)
    resumed_curve, resumed_final = read(resumed, rank)
    assert resumed_curve == {
        number: record
        for number, record in straight_curve.items()
        if number >= step
    }
    if rank == 0:  # without SyncBN the statistics of others are their own
        assert_same_weights(straight_final, resumed_final)


class Runs:
    """Runs in a folder, each a straight one and some that go on from it."""

    def __init__(self, folder):
        self.folder = folder
        self.data = resumable_runs.make_data(folder / 'data')
        self.tasks = []

    def add(self, name, kind, *options, start=None, world_size=1):
        task = dict(
            kind=kind,
            data=str(self.data),
            work_dir=str(self.folder / name),
            options={k: v for group in options for k, v in group.items()},
            world_size=world_size,
        )
        if start is not None:
            task['start'] = str(self.folder / start)
        self.tasks.append(task)

    def __getitem__(self, name):
        return self.folder / name


@pytest.fixture(scope='module')
def pretraining(tmp_path_factory):
    """Three epochs of seven batches; one image is broken."""
    runs = Runs(tmp_path_factory.mktemp('pretraining'))
    add = lambda name, *args, **kwargs: runs.add(  # noqa: E731
        name, 'pretraining', *args, **kwargs
    )
    add('straight')
    add('from_3', start='straight/iter_3.pth')
    add('from_7', start='straight/iter_7.pth')
    add('from_18', WORKERS, start='straight/iter_18.pth')
    add('by_epoch', BY_EPOCH, WORKERS)
    add('from_epoch_2', BY_EPOCH, start='by_epoch/epoch_2.pth')
    add('drawn', NO_SEED)
    add('from_drawn_5', NO_SEED, start='drawn/iter_5.pth')
    add('two', world_size=2)
    add('two_from_4', WORKERS, start='two/iter_4.pth', world_size=2)
    add('two_from_8', start='two/iter_8.pth', world_size=2)
    run_all(*runs.tasks)
    return runs


@pytest.fixture(scope='module')
def detection(tmp_path_factory):
    """Twenty iterations; wide and high images in batches of their own."""
    runs = Runs(tmp_path_factory.mktemp('detection'))
    add = lambda name, *args, **kwargs: runs.add(  # noqa: E731
        name, 'detection', *args, **kwargs
    )
    add('straight')
    add('from_5', start='straight/iter_5.pth')
    add('from_13', WORKERS, start='straight/iter_13.pth')
    add('drawn', NO_SEED)
    add('from_drawn_9', NO_SEED, start='drawn/iter_9.pth')
    add('two', world_size=2)
    add('two_from_7', start='two/iter_7.pth', world_size=2)
    run_all(*runs.tasks)
    return runs


@pytest.mark.parametrize(
    'straight, resumed, step',
    [
        ('straight', 'from_3', 3),
        ('straight', 'from_7', 7),
        ('straight', 'from_18', 18),
        ('by_epoch', 'from_epoch_2', 14),
        ('drawn', 'from_drawn_5', 5),
        ('two', 'two_from_4', 4),
        ('two', 'two_from_8', 8),
    ],
)
def test_pretraining_goes_on(pretraining, straight, resumed, step):
    assert_goes_on(pretraining[straight], pretraining[resumed], step)
    if straight == 'two':
        assert_goes_on(pretraining[straight], pretraining[resumed], step, 1)


@pytest.mark.parametrize(
    'straight, resumed, step',
    [
        ('straight', 'from_5', 5),
        ('straight', 'from_13', 13),
        ('drawn', 'from_drawn_9', 9),
        ('two', 'two_from_7', 7),
    ],
)
def test_detection_goes_on(detection, straight, resumed, step):
    assert_goes_on(detection[straight], detection[resumed], step)
    if straight == 'two':
        assert_goes_on(detection[straight], detection[resumed], step, 1)


def test_workers_change_nothing(pretraining):
    one, _ = read(pretraining['straight'])
    other, _ = read(pretraining['by_epoch'])  # two workers
    assert one == other


def test_places_in_the_epoch_are_kept(pretraining):
    curve, _ = read(pretraining['from_3'])
    assert [curve[step]['batch_idx'] for step in range(3, 9)] == [
        *range(3, 7),
        *range(2),
    ]


def views(*work_dirs_and_ranks):
    """The view of each image in each epoch; it has one only."""
    found = {}
    for work_dir, rank in work_dirs_and_ranks:
        for record in read(work_dir, rank)[0].values():
            for name, view in record['images']:
                key = record['epoch'], name
                found.setdefault(key, set()).add(view)
    return found


def test_views_do_not_depend_on_the_processes(pretraining):
    one = views((pretraining['straight'], 0))
    two = views((pretraining['two'], 0), (pretraining['two'], 1))
    # The image that stands in for the broken one comes twice in an epoch.
    common = one.keys() & two.keys()
    assert len(common) > 30
    assert all(one[key] & two[key] for key in common)
    assert sum(len(found) > 1 for found in two.values()) <= 3
    # Each epoch has views of its own.
    every = [view for found in one.values() for view in found]
    assert len(every) == len(set(every))


def test_a_drawn_seed_is_another_run(pretraining):
    straight, _ = read(pretraining['straight'])
    drawn, _ = read(pretraining['drawn'])
    assert straight[0] != drawn[0]


@pytest.mark.parametrize('name, step', [('from_3', 3), ('from_7', 7)])
def test_pretraining_reads_no_image_of_the_past(pretraining, name, step):
    check_reads(pretraining['straight'], pretraining[name], step)


def test_detection_reads_no_image_of_the_past(detection):
    check_reads(detection['straight'], detection['from_5'], 5)


def check_reads(straight, resumed, step):
    curve, _ = read(straight)
    future = [
        name
        for number in range(step, len(curve))
        for name, _ in curve[number]['images']
    ]
    reads = (resumed / 'reads').read_text().split()
    assert [name for name in reads if name != 'broken.png'] == future


def test_workers_read_no_image_of_the_past(detection):
    # Seven steps of two images, and what two workers fetch ahead: two
    # batches each. mmengine's loop reads those of 13 steps before.
    reads = (detection['from_13'] / 'reads').read_text().split()
    assert 14 <= len(reads) <= 14 + 2 * 2 * 2


def test_checkpoints_fall_on_steps_of_the_optimiser(tmp_path):
    runs = Runs(tmp_path)
    accumulated = {
        'optim_wrapper.accumulative_counts': 2,
        'default_hooks.checkpoint.interval': 3,
    }
    runs.add('straight', 'pretraining', accumulated)
    runs.add('from_4', 'pretraining', accumulated, start='straight/iter_4.pth')
    by_epoch = {**accumulated, **BY_EPOCH}
    by_epoch['default_hooks.checkpoint.interval'] = 1
    runs.add('by_epoch', 'pretraining', by_epoch)
    runs.add(
        'from_epoch_1', 'pretraining', by_epoch, start='by_epoch/epoch_1.pth'
    )
    run_all(*runs.tasks)
    # Due after 3, 6, ... of 18 iterations; the seventh batch of an epoch,
    # which would make no step, is left out.
    saved = {path.name for path in runs['straight'].glob('iter_*.pth')}
    assert saved == {f'iter_{n}.pth' for n in (4, 6, 10, 12, 16, 18)}
    assert_goes_on(runs['straight'], runs['from_4'], 4)
    assert_goes_on(runs['by_epoch'], runs['from_epoch_1'], 6)


def check_kills(tmp_path, kind, options, steps, kills):
    runs = Runs(tmp_path)
    options = {
        'default_hooks.checkpoint.interval': 10,
        'default_hooks.checkpoint.max_keep_ckpts': 1,
        **options,
    }
    runs.add('straight', kind, options)
    runs.add('killed', kind, options)
    runs.tasks[1]['kills'] = dict(kills=kills, steps=steps, seed=kills)
    assert int(run_all(*runs.tasks).split()[-1]) == kills
    straight, final = read(runs['straight'])
    killed = resumable_runs.read_curve(runs['killed'])
    # Steps after the last checkpoint were made again, to the same effect.
    assert sorted(killed) == sorted(straight) == list(range(steps))
    for step, records in killed.items():
        assert all(record == straight[step] for record in records)
    assert sum(map(len, killed.values())) > steps
    assert_same_weights(final, torch.load(runs['killed'] / 'final_0'))


@pytest.mark.parametrize(
    'kind, options',
    [
        ('pretraining', {'train_cfg.max_epochs': 10, **WORKERS}),
        ('detection', {'train_cfg.max_iters': 70}),
    ],
)
def test_killed_twice(tmp_path, kind, options):
    check_kills(tmp_path, kind, options, 70, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    'kind, options',
    [
        ('pretraining', {'train_cfg.max_epochs': 60}),
        ('detection', {'train_cfg.max_iters': 420, **WORKERS}),
    ],
)
def test_killed_ten_times(tmp_path, kind, options):
    check_kills(tmp_path, kind, options, 420, 10)
