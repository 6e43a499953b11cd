"""tools/analysis_tools/benchmark_step.py, run as a user runs it."""

import json
import os
from pathlib import Path

import pytest
from forked_scripts import run_script

ROOT = Path(__file__).parents[2]
SMALL = 'configs/small/selfemd_r18_voc256_20e.py'


def run(*args):
    return run_script(
        'tools/analysis_tools/benchmark_step.py',
        *args,
        cwd=ROOT,
        env=os.environ | dict(OMP_NUM_THREADS='1'),
    )


def figures_of(tmp_path, *args):
    out = tmp_path / 'new' / 'out.json'
    done = run(*args, f'--json={out}')
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


def test_step_is_timed_whole_and_in_parts(tmp_path):
    figures = figures_of(tmp_path, SMALL, '--batch-size=2', '--repeats=2')
    shares = figures['breakdown']
    assert sum(shares.values()) == pytest.approx(1)
    assert all(share > 0 for share in shares.values()), shares
    seconds = figures['seconds']
    assert figures['images_per_second'] == pytest.approx(2 / seconds['step'])
    rounds = figures['rounds']
    assert {len(times) for times in rounds.values()} == {2}
    # With two rounds the median is the mean.
    pairs = zip(
        rounds['mmpretrain_byol_step'], rounds['byol_step'], strict=True
    )
    assert figures['speedup_over_mmpretrain'] == pytest.approx(
        sum(theirs / ours for theirs, ours in pairs) / 2
    )
    for name in ('emd', 'dense_head'):
        assert 0 < figures[f'{name}_overhead'] < 1
    assert figures['peak_memory_bytes'] > 0
    launches = figures['emd_launches']
    assert launches['share'] == pytest.approx(
        launches['count'] * launches['seconds_each'] / seconds['step']
    )
    assert launches['count'] > 20 and 0 < launches['share'] < 1


def test_only_what_is_asked_for_is_timed(tmp_path):
    figures = figures_of(
        tmp_path,
        *(SMALL, '--batch-size=2', '--repeats=9', '--seconds=0'),
        *('--tf32=off', '--contestants'),
    )
    assert list(figures['seconds']) == ['step']
    assert len(figures['rounds']['step']) == 1  # no time for a second
    assert not {'breakdown', 'emd_overhead', 'emd_launches'} & figures.keys()


def test_memory_grows_with_the_batch_and_shrinks_by_the_switches(tmp_path):
    few, many = (
        figures_of(tmp_path, SMALL, f'--memory={count}') for count in (4, 8)
    )
    for way, parts in many.items():
        total = parts.pop('total')
        assert total == pytest.approx(sum(parts.values()))
        assert parts['saved'] > few[way]['saved'] > 0
        for name in ('weights', 'key_encoder', 'gradients', 'optimiser'):
            assert parts[name] == few[way][name] > 0
    saved = {way: parts['saved'] for way, parts in many.items()}
    assert saved['AMP'] < saved['float32']
    assert saved['AMP, with_cp'] < saved['with_cp'] < saved['float32']


@pytest.mark.parametrize(
    'args, message',
    [
        (['configs/mocov2/mocov2_r50_coco_800e.py'], 'SelfEMD'),
        ([SMALL, '--repeats=0'], '--repeats must be at least 1'),
    ],
)
def test_what_cannot_be_timed_is_refused(args, message):
    done = run(*args)
    assert done.returncode == 2
    assert message in done.stderr and 'Traceback' not in done.stderr
