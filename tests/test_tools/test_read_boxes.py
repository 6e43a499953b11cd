"""tools/analysis_tools/read_boxes.py, run as a user runs it."""

import json
import os
from pathlib import Path
from subprocess import CompletedProcess

import cv2
import numpy as np
import pytest
import torch
from forked_scripts import run_script

from mmselfemd.engine.launch import load_config
from mmselfemd.zoo.extract import extract_backbone
from mmselfemd.zoo.frozen_backbone import build_untrained

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/analysis_tools/read_boxes.py'
CONFIG = ROOT / 'configs/demo/selfemd_r18_scenes.py'
COLOURS = dict(
    red=(0, 0, 255), green=(0, 255, 0), blue=(255, 0, 0), grey=(128,) * 3
)


def make_split(folder: Path, name: str, num_images: int) -> None:
    """Images of a noisy ground with two coloured squares each."""
    generator = np.random.default_rng(len(name))
    content = dict(images=[], annotations=[], categories=[])
    for number, colour in enumerate(COLOURS):
        content['categories'].append(dict(id=number, name=colour))
    for image_id in range(num_images):
        image = generator.integers(0, 256, (60, 120, 3), dtype=np.uint8)
        for column in range(2):
            category = int(generator.integers(len(COLOURS)))
            left, top = 5 + 60 * column, int(generator.integers(20))
            square = image[top : top + 40, left : left + 40]
            colour = list(COLOURS.values())[category]
            square[:] = 0.8 * np.array(colour) + 0.2 * square
            content['annotations'].append(
                dict(
                    id=2 * image_id + column,
                    image_id=image_id,
                    category_id=category,
                    bbox=[left, top, 40, 40],
                    area=1600,
                    iscrowd=0,
                )
            )
        file_name = f'{name}_{image_id}.png'
        cv2.imwrite(str(folder / file_name), image)
        content['images'].append(
            dict(id=image_id, file_name=file_name, width=120, height=60)
        )
    (folder / f'{name}.json').write_text(json.dumps(content))


@pytest.fixture
def squares(tmp_path):
    make_split(tmp_path, 'train', 120)
    make_split(tmp_path, 'val', 60)
    return tmp_path


def run(folder: Path, *arguments) -> CompletedProcess:
    data = ['--images', '.', '--train', 'train.json', '--val', 'val.json']
    return run_script(
        TOOL,
        CONFIG,
        *arguments,
        *data,
        cwd=folder,
        env=os.environ | dict(PYTHONPATH=str(ROOT), COLUMNS='200'),
    )


def test_colours_are_read(squares):
    """The same weights read alike, as a checkpoint and extracted."""
    model = build_untrained(
        load_config(str(CONFIG), cfg_options={'randomness.seed': 1})
    )
    torch.save(dict(state_dict=model.state_dict()), squares / 'a.pth')
    extract_backbone(squares / 'a.pth', squares / 'b.pth')
    done = run(
        squares,
        *('a.pth', 'b.pth', '--size', 64, '--max-boxes', 200),
        *('--batch-size', 20, '--json', 'new/out.json'),
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((squares / 'new' / 'out.json').read_text())
    assert results['boxes'] == dict(train=200, val=120)
    assert results['classes'] == dict(train=4, val=4)
    assert results['chance']['balanced'] == 0.25
    readings = results['readings']
    assert list(readings) == ['untrained', 'a.pth', 'b.pth']
    for reading in readings.values():
        del reading['seconds']
        for name in ('knn', 'knn_balanced', 'ridge'):
            assert reading[name] > 0.9
            assert 0 <= reading[f'{name}_error'] < 0.1
            shown = f'{reading[name]:.3f} +- {reading[f"{name}_error"]:.3f}'
            assert shown in done.stdout
    for name in ('untrained', 'b.pth'):
        (differences,) = readings[name].pop('differences').items()
        assert differences[0] == 'a.pth'
        for figure, difference in differences[1].items():
            expected = readings[name][figure] - readings['a.pth'][figure]
            assert difference['value'] == pytest.approx(expected)
            assert f'{difference["value"]:+.3f}' in done.stdout
    assert readings['a.pth'] == readings['b.pth']
    assert 'ETA' in done.stdout
    assert not (squares / 'work_dirs').exists()


def test_a_wrong_checkpoint_ends_it_before_any_work(squares):
    torch.save({'conv1.weight': torch.ones(1)}, squares / 'a.pth')
    done = run(squares, 'a.pth', '--json', 'out.json')
    assert done.returncode == 2
    assert 'Traceback' not in done.stderr
    assert 'a.pth is of another architecture' in done.stderr
    assert 'Cutting' not in done.stdout
    assert not (squares / 'out.json').exists()
