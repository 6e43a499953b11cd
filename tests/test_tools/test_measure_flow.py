"""tools/analysis_tools/measure_flow.py, run as a user runs it."""

import json
import os
from pathlib import Path

import torch
from forked_scripts import run_script

from mmselfemd.engine.launch import load_config
from mmselfemd.evaluation.flow_sources import COUNTED, SOURCES
from mmselfemd.zoo.extract import extract_backbone
from mmselfemd.zoo.frozen_backbone import build_untrained

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/small/selfemd_r18_voc256_20e.py'


def run(*args):
    return run_script(
        'tools/analysis_tools/measure_flow.py',
        *args,
        cwd=ROOT,
        env=os.environ | dict(OMP_NUM_THREADS='1', COLUMNS='200'),
    )


def test_a_checkpoint_beside_the_untrained_network(image_folder, tmp_path):
    cfg = load_config(str(ROOT / CONFIG))
    model = build_untrained(cfg)
    model.reset_key()
    path, out = tmp_path / 'a.pth', tmp_path / 'out' / 'flow.json'
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), path)
    done = run(CONFIG, path, f'--images={image_folder}', f'--json={out}')
    assert done.returncode == 0, done.stderr
    results = json.loads(out.read_text())
    assert list(results) == ['untrained', str(path)]
    untrained, saved = results.values()
    assert saved == untrained  # which it is
    assert list(saved) == list(SOURCES)
    for source, figures in saved.items():
        assert {*COUNTED, 'gain'} < figures.keys()
        assert 0 < figures['right_share'] < 1
        assert figures['right_share_error'] > 0
        assert f'{figures["right_share"]:.3f} +- ' in done.stdout
        assert ('differences' in figures) == (source != 'prediction')
        assert figures['num_images'] == 8
    for control in ('same_position', 'chance', 'best'):
        assert f'{figures[f"right_share_{control}"]:.3f} +- ' in done.stdout


def test_mistakes_are_one_line(image_folder, tmp_path):
    cfg = load_config(str(ROOT / CONFIG))
    torch.save(
        dict(state_dict=build_untrained(cfg).state_dict(), meta=dict()),
        tmp_path / 'a.pth',
    )
    extract_backbone(tmp_path / 'a.pth', tmp_path / 'backbone.pth')
    byol = CONFIG.replace('selfemd', 'byol')
    for args, message in (
        ((CONFIG, '--images=nowhere'), 'nowhere'),
        ((CONFIG, 'nowhere.pth', f'--images={image_folder}'), 'nowhere.pth'),
        ((byol, f'--images={image_folder}'), 'SelfEMD with an EMDHead'),
        (
            (CONFIG, tmp_path / 'backbone.pth', f'--images={image_folder}'),
            'backbone.pth',
        ),
    ):
        done = run(*args)
        assert done.returncode != 0
        assert message in done.stderr and 'Traceback' not in done.stderr
