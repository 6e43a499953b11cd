"""tools/analysis_tools/benchmark_monitors.py, run as a user runs it."""

import json
import os
from pathlib import Path

import pytest
from forked_scripts import run_script

ROOT = Path(__file__).parents[2]


def run(*args):
    return run_script(
        'tools/analysis_tools/benchmark_monitors.py',
        *args,
        cwd=ROOT,
        env=os.environ | dict(OMP_NUM_THREADS='1'),
    )


@pytest.mark.parametrize(
    'method, monitors',
    [
        (
            'selfemd',
            {'collapse_monitor', 'transport_monitor', 'gradient_monitor'},
        ),
        ('byol', {'collapse_monitor'}),
    ],
)
def test_each_monitor_is_timed(tmp_path, method, monitors):
    out = tmp_path / 'new' / 'out.json'
    done = run(
        f'configs/small/{method}_r18_voc256_20e.py',
        '--batch-size=2',
        '--repeats=1',
        f'--json={out}',
        '--cfg-options',
        'default_hooks.collapse_monitor.interval=10',
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    total = figures.pop('share_of_step')
    step = figures.pop('step_seconds')
    assert figures.keys() == monitors
    assert figures['collapse_monitor']['interval'] == 10
    shares = [
        monitor['seconds'] / monitor['interval'] / step
        for monitor in figures.values()
    ]
    assert total == pytest.approx(sum(shares)) and total > 0


def test_a_config_without_monitors_is_refused():
    done = run('configs/mocov2/mocov2_r50_coco_800e.py')
    assert done.returncode != 0
    assert 'not SelfEMD' in done.stderr and 'Traceback' not in done.stderr
