"""A run is a function of its config and seed: resumed, killed, laid out anew.

Everything is compared bit by bit, on the CPU in float32.
"""

import json
import os
import sys
from pathlib import Path

import pytest
import torch
from forked_scripts import run_script

from mmselfemd.datasets.shrunk_images import room_in

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import resumable_runs  # noqa: E402

WORKERS = {
    'train_dataloader.num_workers': 2,
    'train_dataloader.persistent_workers': True,
}
BY_EPOCH = {'default_hooks.checkpoint.by_epoch': True}
NO_SEED = {'randomness.seed': None}
BY_TWO = {'optim_wrapper.accumulative_counts': 2}
FINITE = {'train_dataloader.sampler.type': 'DefaultSampler'}
SHRUNK = {
    'train_dataloader.dataset.pipeline.0.lazy': True,
    'train_dataloader.dataset.pipeline.0.backend_args': None,
    'default_hooks.shrunk_images.type': 'ShrunkImagesHook',
    'default_hooks.shrunk_images.min_size': 8,
}
KEEP_ONE = {
    'default_hooks.checkpoint.interval': 10,
    'default_hooks.checkpoint.max_keep_ckpts': 1,
}


def run_all(*tasks):
    """Run in processes of their own, which import this stack once."""
    result = run_script(
        resumable_runs.__file__,
        json.dumps(tasks),
        env=os.environ | dict(OMP_NUM_THREADS='1'),
    )
    assert result.returncode == 0, result.stdout + result.stderr


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

    def __init__(self, folder, kind):
        self.folder = folder
        self.kind = kind
        self.data = resumable_runs.make_data(folder / 'data')
        self.tasks = []

    def add(self, name, *options, start=None, **others):
        task = dict(
            kind=self.kind,
            data=str(self.data),
            work_dir=str(self.folder / name),
            options={k: v for group in options for k, v in group.items()},
            **others,
        )
        if start is not None:
            task['start'] = str(self.folder / start)
        self.tasks.append(task)

    def add_kills(self, kills, steps, *options):
        self.add('undisturbed', KEEP_ONE, *options)
        how = dict(kills=kills, steps=steps, seed=kills)
        self.add('killed', KEEP_ONE, *options, kills=how)

    def __getitem__(self, name):
        return self.folder / name


def plan_pretraining(runs):
    """Three epochs of seven batches; one image is broken."""
    runs.add('straight')
    runs.add('from_3', start='straight/iter_3.pth')
    runs.add('from_7', start='straight/iter_7.pth')
    runs.add('from_18', WORKERS, start='straight/iter_18.pth')
    runs.add('by_epoch', BY_EPOCH, WORKERS)
    runs.add('from_epoch_2', BY_EPOCH, start='by_epoch/epoch_2.pth')
    runs.add('drawn', NO_SEED)
    runs.add('from_drawn_5', NO_SEED, start='drawn/iter_5.pth')
    runs.add('shrunk', SHRUNK, WORKERS)
    runs.add('from_shrunk_9', SHRUNK, start='shrunk/iter_9.pth')
    runs.add('from_whole_3', SHRUNK, start='straight/iter_3.pth')
    runs.add('two_shrunk', SHRUNK, WORKERS, world_size=2)
    runs.add('two', world_size=2)
    runs.add('two_from_4', WORKERS, start='two/iter_4.pth', world_size=2)
    runs.add('two_from_6', start='two/iter_6.pth', world_size=2)
    every_third = {'default_hooks.checkpoint.interval': 3}
    runs.add('steps', BY_TWO, every_third)
    runs.add('from_step_4', BY_TWO, start='steps/iter_4.pth')
    runs.add('epochs_of_steps', BY_TWO, BY_EPOCH)
    runs.add(
        'from_step_6', BY_TWO, BY_EPOCH, start='epochs_of_steps/epoch_1.pth'
    )
    runs.add_kills(1, 35, {'train_cfg.max_epochs': 5}, WORKERS)


def plan_detection(runs):
    """Twenty iterations; wide and high images in batches of their own."""
    runs.add('straight')
    runs.add('from_5', start='straight/iter_5.pth')
    runs.add('from_13', WORKERS, start='straight/iter_13.pth')
    runs.add('drawn', NO_SEED)
    runs.add('from_drawn_9', NO_SEED, start='drawn/iter_9.pth')
    runs.add('finite', FINITE)
    runs.add('finite_from_11', FINITE, start='finite/iter_11.pth')
    runs.add('two', world_size=2)
    runs.add('two_from_7', start='two/iter_7.pth', world_size=2)


@pytest.fixture
def roomy_disk():
    """Here runs are processes of their own, and see the disk as it is."""


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """All runs that take little time, in one go."""
    planned = {
        'pretraining': plan_pretraining,
        'detection': plan_detection,
    }
    made = {}
    for kind, plan in planned.items():
        made[kind] = Runs(tmp_path_factory.mktemp(kind), kind)
        plan(made[kind])
    run_all(*(task for kind in made.values() for task in kind.tasks))
    return made


@pytest.fixture
def pretraining(runs):
    return runs['pretraining']


@pytest.fixture
def detection(runs):
    return runs['detection']


@pytest.mark.parametrize(
    'straight, resumed, step',
    [
        ('straight', 'from_3', 3),
        ('straight', 'from_7', 7),
        ('straight', 'from_18', 18),
        ('by_epoch', 'from_epoch_2', 14),
        ('drawn', 'from_drawn_5', 5),
        ('shrunk', 'from_shrunk_9', 9),
        ('straight', 'from_whole_3', 3),  # it goes on as it began
        ('two', 'two_from_4', 4),
        ('two', 'two_from_6', 6),
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
        ('finite', 'finite_from_11', 11),
        ('two', 'two_from_7', 7),
    ],
)
def test_detection_goes_on(detection, straight, resumed, step):
    assert_goes_on(detection[straight], detection[resumed], step)
    if straight == 'two':
        assert_goes_on(detection[straight], detection[resumed], step, 1)


@pytest.mark.parametrize('kind', ['pretraining', 'detection'])
def test_each_process_draws_anew_at_each_step(runs, kind):
    drawn = [
        record['drawn']
        for rank in (0, 1)
        for record in read(runs[kind]['two'], rank)[0].values()
    ]
    assert len(set(drawn)) == len(drawn) > 15


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


def test_shrunk_images_are_kept_and_seen(pretraining):
    kept = pretraining['shrunk'] / 'shrunk_images'
    if not room_in(kept):
        pytest.skip('a tenth of the disk is not free: no copies are kept')
    assert len(list(kept.rglob('*.shrunk'))) == 13
    shrunk, whole = (
        views((pretraining[name], 0)) for name in ('shrunk', 'straight')
    )
    assert not any(shrunk[key] & whole[key] for key in shrunk.keys() & whole)


@pytest.mark.parametrize(
    'alone, together', [('straight', 'two'), ('shrunk', 'two_shrunk')]
)
def test_views_do_not_depend_on_the_processes(pretraining, alone, together):
    one = views((pretraining[alone], 0))
    two = views((pretraining[together], 0), (pretraining[together], 1))
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


def test_checkpoints_fall_on_steps_of_the_optimiser(pretraining):
    # Due after 3, 6, ... of 18 iterations; the seventh batch of an epoch,
    # which would make no step, is left out.
    saved = {path.name for path in pretraining['steps'].glob('iter_*.pth')}
    assert saved == {f'iter_{n}.pth' for n in (4, 6, 10, 12, 16, 18)}
    assert_goes_on(pretraining['steps'], pretraining['from_step_4'], 4)
    assert_goes_on(
        pretraining['epochs_of_steps'], pretraining['from_step_6'], 6
    )


def check_kills(runs, kills, steps):
    assert int((runs['killed'] / 'kills').read_text()) == kills
    straight, final = read(runs['undisturbed'])
    killed = resumable_runs.read_curve(runs['killed'])
    # Steps after the last checkpoint were made again, to the same effect.
    assert sorted(killed) == sorted(straight) == list(range(steps))
    for step, records in killed.items():
        assert all(record == straight[step] for record in records)
    assert sum(map(len, killed.values())) > steps
    assert_same_weights(final, torch.load(runs['killed'] / 'final_0'))


def test_killed_once(pretraining):
    check_kills(pretraining, 1, 35)


@pytest.mark.slow
@pytest.mark.parametrize(
    'kind, options',
    [
        ('pretraining', {'train_cfg.max_epochs': 60}),
        ('detection', {'train_cfg.max_iters': 420, **WORKERS}),
    ],
)
def test_killed_ten_times(tmp_path, kind, options):
    runs = Runs(tmp_path, kind)
    runs.add_kills(10, 420, options)
    run_all(*runs.tasks)
    check_kills(runs, 10, 420)
