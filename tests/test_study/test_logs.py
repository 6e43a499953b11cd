"""What a run's log says, of logs whose figures are known."""

import json
from pathlib import Path

import pytest

from mmselfemd.study import find_candidates, plan_runs, what_the_log_says

OWN_FLOW = 'transport/own_flow'
CONTROLS = {
    f'{OWN_FLOW}_same_position': 0.27,
    f'{OWN_FLOW}_other_image': 0.09,
    f'{OWN_FLOW}_chance': 0.08,
}


@pytest.fixture
def run(tmp_path):
    (run,) = plan_runs(
        find_candidates(['byol_three_views']), [3], Path(), tmp_path, 8, 4
    )
    return run


def log(run, folder, steps, **figures):
    """Ten steps an epoch, figures by how they come of the step."""
    path = run.work_dir / folder / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    lines = [
        dict(step=step, epoch=-(-step // 10))
        | {name: of(step) for name, of in figures.items()}
        for step in steps
    ]
    lines.append(dict({'matching/gain': 0.2}, step=8))  # an epoch's number
    path.write_text('\n'.join(map(json.dumps, lines)))


def finish(run):
    run.work_dir.mkdir(exist_ok=True)
    (run.work_dir / f'epoch_{run.epochs}.pth').touch()


def test_figures_are_those_logged_last_up_to_each_epoch(run):
    log(run, '1', range(5, 85, 5), **{'loss_emd': lambda step: step})
    finish(run)
    said = what_the_log_says(run)
    assert said['by_epoch'] == {'loss_emd': {'2': 20, '4': 40, '8': 80}}
    assert (said['candidate'], said['seed']) == ('byol_three_views', 3)
    assert said['epochs'] == 8 and said['own_flow'] == {}


def test_an_epoch_that_has_nothing_of_its_own_says_nothing(run):
    finish(run)
    log(run, '1', [1, 5, 61, 80], **{'gradient/emd_share': lambda step: step})
    said = what_the_log_says(run)['by_epoch']['gradient/emd_share']
    assert said == {'2': 5, '8': 80}


def test_of_a_resumed_run_the_later_counts(run):
    log(run, '1', range(5, 65, 5), loss_emd=lambda step: -1.0)
    log(run, '2', range(35, 55, 5), loss_emd=lambda step: step)
    said = what_the_log_says(run)
    # The fifth epoch, of step 50, may not be at its end yet.
    assert said['by_epoch']['loss_emd'] == {'2': -1.0, '4': 40.0}
    assert said['epochs'] == 4


def test_what_is_not_finite_is_left_out(run):
    finish(run)
    values = {'loss_emd': {20: float('nan'), 40: float('inf')}}
    log(
        run, '1', [20, 40, 80], loss_emd=lambda s: values['loss_emd'].get(s, 1)
    )
    said = what_the_log_says(run)
    assert said['by_epoch'] == {'loss_emd': {'8': 1}}
    json.dumps(said, allow_nan=False)


def test_the_own_flow_stands_beside_its_controls(run):
    known = {name: lambda _, v=v: v for name, v in CONTROLS.items()}
    own = {OWN_FLOW: lambda step: 0.1 if step < 55 else 0.3 + step / 1e4}
    log(run, '1', range(5, 85, 5), **own, **known)
    assert what_the_log_says(run)['own_flow'] == {}  # it goes on
    finish(run)
    said = what_the_log_says(run)['own_flow']
    assert said['own_flow'] == pytest.approx(0.307, abs=1e-3)
    assert said['own_flow_same_position'] == 0.27
    assert said['flow_matches'] is True


def test_without_a_log_nothing_is_said(run):
    assert what_the_log_says(run) is None
