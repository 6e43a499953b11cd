"""`make demo`, whole and cut short."""

import importlib
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from forked_scripts import run_script
from PIL import Image

from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.datasets.transforms.encoded_image import BrokenImageError

ROOT = Path(__file__).resolve().parents[2]
with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT / 'tools' / 'analysis_tools')
    KINDS = importlib.import_module('image_kinds').KINDS

RANDOM = 'detector_from_random_weights'


def run_demo(folder: Path, *args: str) -> dict:
    result = run_script(
        ROOT / 'tools' / 'demo.py',
        *args,
        cwd=folder,
        env=os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'matching_gain' in result.stdout
    assert "The loss's own flow" in result.stdout
    assert ' s left' in result.stdout
    summary = json.loads(
        (folder / 'work_dirs' / 'demo' / 'summary.json').read_text()
    )
    check_summary(summary, folder)
    # The last that is said: one seed is too few.
    last = ' '.join(result.stdout.rsplit('summary.json', 1)[1].split())
    assert last == summary['did_it_help']
    assert 'Self-EMD' in last and 'one seed is too few' in last
    return summary


@pytest.mark.skipif(shutil.which('make') is None, reason='make is absent')
@pytest.mark.parametrize('name', ['photos 2', "O'Brien, Ann", '(1) $$x;'])
def test_make_hands_a_folder_over_as_it_is_called(name):
    result = subprocess.run(
        ['make', '--dry-run', '--silent', 'demo', f'IMAGES={name}'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    command = shlex.split(result.stdout.splitlines()[-1])
    assert command[-2:] == ['--images', name.replace('$$', '$')]


def check_summary(summary: dict, folder: Path) -> None:
    pretraining = summary['pretrain']
    # Beside each figure stand its controls.
    for name in ('accuracy', 'gain', 'other_image'):
        assert pretraining[f'matching_{name}_error'] > 0
    for name in ('accuracy', 'gain'):
        assert f'matching_{name}_untrained' in pretraining
    gain = (
        pretraining['matching_accuracy'] - pretraining['matching_other_image']
    )
    assert pretraining['matching_gain'] == pytest.approx(gain, abs=1e-3)
    flow = summary['flow']
    own, *controls = (
        flow[f'own_flow{name}']
        for name in ('', '_same_position', '_other_image', '_chance')
    )
    assert 0 < min(own, *controls) and max(own, *controls) < 1
    if flow['flow_matches']:
        assert own > max(controls)
    for name in ('detector', RANDOM):
        assert summary[name].keys() == {'bbox_mAP', 'bbox_mAP_50', 'seconds'}
    assert summary['transfer'] == dict(missing_keys=[], unexpected_keys=[])
    assert summary['pretrain']['loss_last'] < summary['pretrain']['loss_first']
    assert 0 < summary['pretrain']['matching_chance'] < 0.2
    assert summary['figures'].keys() == {'matching', 'pyramid', 'loss'}
    for path in summary['figures'].values():
        with Image.open(folder / path) as image:
            assert min(image.size) > 400


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_demo_whole(tmp_path):
    """All of its pre-training, and a third of the detectors' steps.

    The rest of their steps, 12 minutes of a core, would tell little more.
    """
    summary = run_demo(tmp_path, '--max-iters', '60')
    # Boxes that say nothing come to 0.00.
    assert summary['detector']['bbox_mAP_50'] > 0.01
    matching = summary['pretrain']['matching_accuracy']
    assert matching > 2 * summary['pretrain']['matching_chance']


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_demo_on_photographs(tmp_path, photos):
    folder = photos / 'coco343' / 'train2017'
    summary = run_demo(
        tmp_path,
        '--images',
        str(folder),
        '--num-scenes',
        '16',
        '--max-epochs',
        '1',
        '--max-iters',
        '2',
    )
    assert summary['pretrain']['iterations'] == 343 // 32


def fill_with_kinds(folder: Path, kinds: list, number: int) -> list[Path]:
    """A picture of every kind, and as many plain ones as are missing."""
    folder.mkdir()
    paths = []
    for place in range(number):
        kind = kinds[place] if place < len(kinds) else KINDS[0]
        path = folder / f'{place:03d}.tif'  # what it is, its content says
        path.write_bytes(kind.make())
        paths.append(path)
    return paths[: len(kinds)]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_demo_on_a_folder_of_all_kinds_of_picture(tmp_path):
    """What needs no setting is trained on; what cannot be read is named."""
    kinds = [kind for kind in KINDS if not kind.settings]
    assert len(kinds) > 30
    paths = fill_with_kinds(tmp_path / 'kinds', kinds, 96)
    summary = run_demo(
        tmp_path,
        *('--images', 'kinds', '--num-scenes', '16'),
        *('--max-epochs', '1', '--max-iters', '2'),
    )
    assert summary['pretrain']['iterations'] == 96 // 32
    (list_file,) = (tmp_path / 'work_dirs/demo/pretrain').rglob(
        'broken_images.txt'
    )
    told = dict(
        line.split('\t') for line in list_file.read_text().splitlines()
    )
    unreadable = {}
    for path in paths:
        try:
            ValueMapping().read(path.read_bytes())
        except BrokenImageError as error:
            unreadable[f'kinds/{path.name}'] = ' '.join(str(error).split())
    assert len(unreadable) >= 4
    assert told == unreadable


@pytest.mark.slow
@pytest.mark.parametrize('setting', ['value_range', 'bands'])
def test_demo_asks_for_a_setting_before_it_trains(tmp_path, setting):
    kinds = [kind for kind in KINDS if list(kind.settings) == [setting]]
    fill_with_kinds(tmp_path / 'kinds', kinds[:1] * 32, 32)
    result = run_script(
        ROOT / 'tools' / 'demo.py',
        *('--num-scenes', '4', '--images', 'kinds'),
        cwd=tmp_path,
        env=os.environ | dict(PYTHONPATH=str(ROOT)),
    )
    last = result.stderr.strip().splitlines()[-1]
    assert result.returncode == 2
    assert last.startswith('demo.py: error: ') and f'{setting}=(' in last
    assert not list(tmp_path.rglob('*.pth'))


def test_demo_names_a_missing_folder(tmp_path):
    result = run_script(
        ROOT / 'tools' / 'demo.py',
        *('--num-scenes', '4', '--images', 'nowhere'),
        cwd=tmp_path,
        env=os.environ | dict(PYTHONPATH=str(ROOT)),
    )
    assert result.returncode != 0
    assert 'nowhere' in result.stderr.strip().splitlines()[-1]


def test_demo_names_a_backbone_that_its_detector_lacks(tmp_path):
    config = tmp_path / 'wide.py'
    base = ROOT / 'configs' / 'demo' / 'selfemd_r18_scenes.py'
    config.write_text(
        f"_base_ = ['{base}']\nmodel = dict(backbone=dict(base_channels=32))\n"
    )
    result = run_script(
        ROOT / 'tools' / 'demo.py',
        *('--num-scenes', '4', '--pretraining', str(config)),
        cwd=tmp_path,
        env=os.environ | dict(PYTHONPATH=str(ROOT)),
    )
    assert result.returncode == 2
    last = result.stderr.strip().splitlines()[-1]
    assert f'{config}: its backbone has base_channels=32, and' in last
    assert sorted(tmp_path.iterdir()) == [config]  # nothing was begun


def test_the_model_that_is_given_away_fits_the_detector(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    demo = importlib.import_module('demo')
    demo.check_backbone(
        str(ROOT / 'configs' / 'small' / 'selfemd_r18-w16_scenes_6e.py')
    )
