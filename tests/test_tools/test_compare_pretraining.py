"""tools/compare_pretraining.py as a user runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from forked_scripts import run_script
from made_up_photographs import (
    DETECTOR_OPTIONS,
    PRETRAIN_OPTIONS,
    as_words,
    write_all,
)

from mmselfemd.datasets.scenes import make_scenes

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'compare_pretraining.py'
TINY = [
    *('--iterations', '4', '4', '--seconds', '1', '1'),
    *('--pretrain-options', *as_words(PRETRAIN_OPTIONS)),
    *('--detector-options', *as_words(DETECTOR_OPTIONS)),
]


def options_of(places):
    return [
        word
        for name, path in places.items()
        for word in (f'--{name.replace("_", "-")}', str(path))
    ]


def test_the_plan_is_shown_and_nothing_begins(tmp_path):
    places = options_of(write_all(tmp_path / 'data'))
    said = run_script(TOOL, *places, *TINY, '--work-dir', tmp_path / 'work')
    assert said.returncode == 2
    assert '9 runs' in said.stdout and 'hours for what is left' in said.stdout
    assert '--yes' in said.stderr.splitlines()[-1]
    assert not (tmp_path / 'work' / 'detectors').exists()
    said = run_script(
        *(TOOL, *places, *TINY, '--work-dir', tmp_path / 'work', '--slurm')
    )
    assert said.returncode == 0, said.stderr
    script = (tmp_path / 'work' / 'slurm.sh').read_text()
    assert '--slurm' not in script and '--yes' in script
    assert '#SBATCH --array=0-5\n' in script


def test_one_folder_for_all_is_refused_with_what_to_do(tmp_path):
    places = write_all(tmp_path / 'data')
    said = run_script(
        TOOL,
        *options_of(places | dict(images=tmp_path / 'data')),
        *(*TINY, '--work-dir', tmp_path / 'work', '--yes'),
    )
    assert said.returncode == 2
    error = said.stderr.splitlines()[-1]
    assert 'val_1.png' in error and '--leave-out-val' in error
    assert not (tmp_path / 'work').exists()


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    make_scenes(folder, 12, 6)
    labels = folder / 'annotations'
    return options_of(
        dict(
            images=folder / 'train2017',
            train=labels / 'instances_train2017.json',
            val=labels / 'instances_val2017.json',
            val_images=folder / 'val2017',
        )
    )


def start(scenes, work_dir, *options):
    return subprocess.Popen(
        [
            *(sys.executable, TOOL, *scenes, *TINY, '--seeds', '2', '--yes'),
            *('--work-dir', work_dir, *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | dict(OMP_NUM_THREADS='1'),
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_whole_comparison_that_is_killed_on_its_way(scenes, tmp_path):
    first = start(scenes, tmp_path)
    done = tmp_path / 'detectors' / 'random_seed0_labels1'
    running = tmp_path / 'pretraining' / 'selfemd_seed0' / 'log.txt'
    until = time.time() + 300
    while not running.is_file():
        assert time.time() < until and first.poll() is None, first.stdout
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    log = (done / 'log.txt').read_text()

    # A look at the backbones, then the rest by the same command.
    said, _ = (look := start(scenes, tmp_path, '--look')).communicate()
    assert look.returncode == 0, said[-3000:]
    assert '| random weights | 2 |' in said and 'gain' in said
    assert not (tmp_path / 'detectors' / 'selfemd_seed0_labels1').exists()
    said, _ = (second := start(scenes, tmp_path)).communicate()
    assert second.returncode == 0, said[-3000:]
    assert (done / 'log.txt').read_text() == log  # not repeated
    assert 'training random, seed 0' not in said

    report = json.loads((tmp_path / 'report.json').read_text())
    (answer,) = report['sentences']
    assert answer['sentence'] in said
    assert re.search(r'Self-EMD .*random weights', answer['sentence'])
    assert len(report['detectors']) == 4
    assert report['first_look']['readings'].keys() == {'random', 'selfemd'}
    assert 'frozen backbones' in (tmp_path / 'report.html').read_text()

    # All is there: the report alone is written again.
    said, _ = (third := start(scenes, tmp_path)).communicate()
    assert third.returncode == 0, said[-3000:]
    # Lines of what begins; paths may have the word in them.
    assert not re.search(r'^[\d:]+ training ', said, re.M)
    refused = start(scenes, tmp_path, '--fractions', '0.5')
    said, _ = refused.communicate()
    assert refused.returncode == 2
    assert 'fractions' in said.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_plan_by_a_few_measured_iterations(scenes, tmp_path):
    at = TINY.index('--iterations')
    options = [*TINY[:at], *TINY[at + 6 :], '--hours', '1']
    options += ['--candidates', 'random', 'selfemd', 'montage']
    said = run_script(TOOL, *scenes, *options, '--work-dir', tmp_path)
    assert said.returncode == 2, said.stderr
    measured = 'Seconds of an iteration, measured: (.*)'
    names = re.search(measured, said.stdout)[1]
    assert all(name in names for name in ('selfemd', 'montage', 'detector'))
    found = re.search(r'About ([\d.]+) hours for what is left', said.stdout)
    assert 0.8 < float(found[1]) <= 1.0
