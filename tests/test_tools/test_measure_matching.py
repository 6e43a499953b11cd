"""tools/analysis_tools/measure_matching.py, run as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmselfemd.engine.launch import load_config
from mmselfemd.zoo.extract import extract_backbone
from mmselfemd.zoo.frozen_backbone import build_untrained

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/small/selfemd_r18_voc256_20e.py'


def run(*args):
    return subprocess.run(
        [sys.executable, 'tools/analysis_tools/measure_matching.py', *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | dict(OMP_NUM_THREADS='1', COLUMNS='200'),
    )


def test_checkpoints_beside_the_untrained_network(image_folder, tmp_path):
    cfg = load_config(str(ROOT / CONFIG))
    cfg.randomness.seed = 5
    other = build_untrained(cfg).state_dict()
    torch.save(dict(state_dict=other, meta=dict()), tmp_path / 'a.pth')
    extract_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    paths = [str(tmp_path / name) for name in ('a.pth', 'b.pth')]
    done = run(
        CONFIG,
        *paths,
        f'--images={image_folder}',
        f'--json={tmp_path / "out" / "results.json"}',
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / 'out' / 'results.json').read_text())
    assert list(results) == ['untrained', *paths]
    first, second, third = results.values()
    assert second == third
    assert first['accuracy'] != second['accuracy']
    for result in (first, second):
        assert result['best'] > 0.9 > result['chance'] == first['chance']
    assert f'{first["accuracy"]:.3f}' in done.stdout


@pytest.mark.parametrize(
    'args, message',
    [
        (['--images=nowhere'], 'nowhere'),
        (['nowhere.pth', '--images=.'], 'nowhere.pth'),
    ],
)
def test_mistakes_are_one_line(args, message):
    done = run(CONFIG, *args)
    assert done.returncode != 0
    assert message in done.stderr and 'Traceback' not in done.stderr


def test_other_methods_are_measured_in_the_same_way(image_folder, tmp_path):
    config = 'configs/simclr/simclr_r50_coco_800e.py'
    narrow = ['model.backbone.depth=18', 'model.backbone.base_channels=4']
    narrow += ['model.backbone.stem_channels=4', 'model.neck.in_channels=32']
    out = tmp_path / 'results.json'
    done = run(
        config,
        f'--images={image_folder}',
        f'--json={out}',
        '--cfg-options',
        *narrow,
    )
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(out.read_text()).values()
    assert 0 < result['accuracy'] < 1
    done = run(config)
    assert done.returncode != 0
    assert '--images' in done.stderr and 'Traceback' not in done.stderr
