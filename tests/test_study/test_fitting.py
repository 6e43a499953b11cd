"""What fits into some minutes, held against the clock that it would take."""

import time
from pathlib import Path

import pytest
from made_up_photographs import write_photographs

from mmselfemd.comparison.timing import Seconds
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError, UserValueError
from mmselfemd.study import (
    Length,
    find_candidates,
    fitting,
    fitting_length,
    kept_length,
    length_within,
    plan_runs,
    save_length,
    save_untrained,
)

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'small'
SEEDS = [3, 1, 4]
#: Of seven candidates; a flow takes longer.
SECONDS = [Seconds(0.02 + 0.005 * i, 10.0, 4.0) for i in range(7)]


def minutes_of(length, jobs, reading=0):
    """By a clock that goes a second at a time, and looks who is done."""
    waiting = [
        one.of(46 * length.epochs) for _ in length.seeds for one in SECONDS
    ]
    running, now = [], 0
    while waiting or running:
        running = [end for end in running if end > now]
        while waiting and len(running) < jobs:
            running.append(now + waiting.pop(0))
        now += 1
    readings = len(length.seeds) * (1 + 4 * len(SECONDS))
    return (now - 1 + readings * reading) / 60


@pytest.mark.parametrize('reading', [0, 2])
@pytest.mark.parametrize('jobs', [1, 2, 4, 10])
@pytest.mark.parametrize('minutes', [4, 8, 15, 60])
def test_it_fits_and_little_more_would(minutes, jobs, reading):
    length = length_within(minutes, jobs, SEEDS, SECONDS, 46, reading)
    assert length.epochs % 4 == 0 and length.interval == length.epochs // 4
    assert length.seeds == SEEDS[: len(length.seeds)]
    assert minutes_of(length, jobs, reading) <= minutes
    longer = length._replace(epochs=length.epochs + 4)
    assert minutes_of(longer, jobs, reading) > 0.94 * minutes
    if len(length.seeds) < 3:  # another one would leave less than 40 epochs
        more = Length(40, SEEDS[: len(length.seeds) + 1])
        assert minutes_of(more, jobs, reading) > 0.94 * minutes


def test_seeds_are_left_out_before_runs_become_short():
    lengths = [length_within(m, 1, SEEDS, SECONDS, 46) for m in range(4, 90)]
    for length in lengths:
        assert length.epochs >= 40 or len(length.seeds) == 1
    assert {len(length.seeds) for length in lengths} == {1, 2, 3}


@pytest.mark.parametrize('spent', [0, 2.5])
@pytest.mark.parametrize('minutes', [0, 1])
def test_too_little_says_what_would_do(minutes, spent):
    def length_of(minutes):
        return length_within(minutes, 2, SEEDS, SECONDS, 46, spent=spent)

    with pytest.raises(UserValueError, match='too little') as error:
        length_of(minutes)
    assert str(error.value).startswith(f'--minutes {minutes}:')
    enough = int(str(error.value).split('take ')[1].split()[0])
    assert length_of(enough).epochs >= 4
    with pytest.raises(UserValueError):
        length_of(enough - 1)


def plan(work_dir, names, seeds=(0,)):
    return plan_runs(find_candidates(names), seeds, CONFIGS, work_dir, 4, 1)


def test_what_was_chosen_is_kept_for_the_same_command(tmp_path):
    runs = plan(tmp_path, ['selfemd'], [0, 1])
    assert kept_length(tmp_path, runs) is None
    save_length(tmp_path, Length(52, [0]), runs)
    assert kept_length(tmp_path, runs) == Length(52, [0])
    for others in (plan(tmp_path, ['uniform'], [0, 1]), runs[:2]):
        with pytest.raises(UserError, match=r'length\.json: 52 epochs were'):
            kept_length(tmp_path, others)


@pytest.mark.parametrize(
    'text',
    [
        '',
        '[]',
        '{"epochs": 2, "seeds": [0]}',
        '{"epochs": 8, "seeds": "ab"}',
        '{"epochs": "x"}',
    ],
)
def test_a_damaged_choice_is_named(tmp_path, text):
    runs = plan(tmp_path, ['selfemd'])
    save_length(tmp_path, Length(52, [0]), runs)
    (path,) = tmp_path.iterdir()
    path.write_text(text)
    with pytest.raises(UserError, match=f'{path.name} is damaged'):
        kept_length(tmp_path, runs)


def test_each_candidate_is_timed_as_it_will_run(tmp_path, monkeypatch):
    lists = {}
    for split, count in (('train', 640), ('val', 99)):
        lists[split] = tmp_path / f'{split}.txt'
        lists[split].write_text('name.jpg\n' * count)
    timed = {}

    def measure(configs, num_val, evaluations, folder, jobs, devices):
        timed.update(configs, num_val=num_val, evaluations=evaluations)
        return dict.fromkeys(configs, Seconds(0.1, 1.0))

    monkeypatch.setattr(fitting, 'measure', measure)
    options = {
        f'{s}_dataloader.dataset.ann_file': str(lists[s]) for s in lists
    }
    runs = plan(tmp_path, ['selfemd'], [0, 1])
    length = fitting_length(runs, options, 1, 0.5, 1, time.time())
    # 2 runs of 10 iterations an epoch, 57 s less 2 s of starts, and 4.5 s
    # of 9 readings.
    assert length == Length(24, [0])
    assert timed.pop('num_val') == 99 and timed.pop('evaluations') == 5
    names = [f'{c}_0_4epochs' for c in ('byol_three_views', 'selfemd')]
    assert list(timed) == names
    for cfg, num_train in timed.values():
        assert num_train == 640
        assert cfg.model.backbone.init_cfg.checkpoint.startswith(str(tmp_path))
    timed.clear()
    fitting_length(runs, options, 3, 0.5, 1, time.time())
    # As many at a time as later.
    assert list(timed)[:3] == [*names, 'byol_three_views_1_4epochs']


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_iterations_are_timed_by_training(tmp_path):
    write_photographs(tmp_path, 'images', 64, seed=0)
    names = sorted(path.name for path in (tmp_path / 'images').iterdir())
    options = {}
    for split in ('train', 'val'):
        listed = tmp_path / f'{split}.txt'
        listed.write_text('\n'.join(names))
        dataset = f'{split}_dataloader.dataset'
        options[f'{dataset}.ann_file'] = str(listed)
        options[f'{dataset}.data_root'] = str(tmp_path)
    runs = plan(tmp_path, ['byol_three_views'])
    save_untrained(load_config(str(runs[0].config)), tmp_path, [0])
    # Of one that was cut off.
    (tmp_path / 'trial' / runs[0].name / '1' / 'vis_data').mkdir(parents=True)
    (tmp_path / 'trial' / runs[0].name / 'epoch_1.pth').touch()
    start = time.time()
    length = fitting_length(runs, options, 1, 0.0, 60, start)
    # An epoch is of one iteration, and 12 of them and a start took so long.
    took = time.time() - start
    assert length.epochs > 0.9 * 3600 * 12 / took
    # No core takes less than 50 ms for a batch of 64.
    assert length.epochs < 3600 / 0.05
    assert length.seeds == [0]
    assert not (tmp_path / 'trial').exists()
