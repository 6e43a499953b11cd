"""tools/analysis_tools/measure_matching.py, run as a user runs it."""

import json
import os
from pathlib import Path

import pytest
import torch
from forked_scripts import run_script

from mmselfemd.engine.launch import load_config
from mmselfemd.zoo.extract import extract_backbone
from mmselfemd.zoo.frozen_backbone import build_untrained

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/small/selfemd_r18_voc256_20e.py'


def run(*args):
    return run_script(
        'tools/analysis_tools/measure_matching.py',
        *args,
        cwd=ROOT,
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
    untrained, first, second = results.values()
    # Named first, the first checkpoint is what others are compared with.
    for result in (untrained, second):
        (differences,) = result.pop('differences').items()
        assert differences[0] == paths[0]
        result['from_first'] = differences[1]
    assert set(second.pop('from_first')['gain'].values()) == {0}
    assert first == second
    for name in ('accuracy', 'other_image', 'gain'):
        difference = untrained['from_first'][name]
        expected = untrained[name] - first[name]
        assert difference['value'] == pytest.approx(expected) != 0
        assert difference['low'] <= difference['value'] <= difference['high']
        assert f'{difference["value"]:+.3f}' in done.stdout
        for result in (untrained, first):
            assert result[f'{name}_error'] > 0
            assert f'{result[name]:.3f} +- ' in done.stdout
    for result in (untrained, first):
        gain = result['accuracy'] - result['other_image']
        assert result['gain'] == pytest.approx(gain)
        assert result['best'] > 0.9 > result['chance']
        assert result['num_images'] == 8
        assert 8 < result['num_nodes'] <= 8 * 49
    for name in ('chance', 'same_position', 'best', 'num_nodes'):
        assert untrained[name] == first[name]


@pytest.mark.parametrize(
    'args, message',
    [
        (['--images=nowhere'], 'nowhere'),
        (['nowhere.pth', '--images=.'], 'nowhere.pth'),
        (['--images=.', '--reference=b.pth'], 'one of untrained'),
    ],
)
def test_mistakes_are_one_line(args, message):
    done = run(CONFIG, *args)
    assert done.returncode != 0
    assert message in done.stderr and 'Traceback' not in done.stderr


def test_an_image_needs_another_one(image_folder):
    done = run(
        CONFIG,
        f'--images={image_folder}',
        *('--cfg-options', 'val_dataloader.batch_size=1'),
    )
    assert done.returncode != 0
    assert 'val_dataloader.batch_size' in done.stderr
    assert 'Traceback' not in done.stderr


def test_all_images_of_another_folder_are_measured(image_folder, tmp_path):
    """A config of pretrain.py takes one in so many of its own folder."""
    out = tmp_path / 'results.json'
    done = run(
        CONFIG,
        *(f'--images={image_folder}', f'--json={out}'),
        *('--cfg-options', 'val_dataloader.dataset.every=8'),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(out.read_text())['untrained']['num_images'] == 8


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
