"""tools/check_annotations.py, run as a user runs it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from forked_scripts import run_script

ROOT = Path(__file__).parents[2]


@pytest.fixture
def labels(tmp_path):
    """Two images with twenty boxes."""
    for number in (1, 2):
        pixels = np.full((40, 60, 3), 80 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f'{number}.png'), pixels)
    content = dict(
        images=[
            dict(id=n, file_name=f'{n}.png', width=60, height=40)
            for n in (1, 2)
        ],
        annotations=[
            dict(
                id=n,
                image_id=n % 2 + 1,
                category_id=1,
                bbox=[n, 1, 20, 20],
                area=400,
                iscrowd=0,
            )
            for n in range(1, 21)
        ],
        categories=[dict(id=1, name='cat')],
    )
    return content


def run(content, tmp_path, *options):
    file = tmp_path / 'labels.json'
    file.write_text(json.dumps(content))
    return run_script(
        'tools/check_annotations.py',
        file,
        f'--images={tmp_path}',
        f'--json={tmp_path}/new/out.json',
        *options,
        cwd=ROOT,
    )


def test_a_usable_file_with_what_is_mended(labels, tmp_path):
    del labels['annotations'][3]['iscrowd']
    done = run(labels, tmp_path, '--classes', 'cat')
    assert done.returncode == 0, done.stderr
    assert 'Mended in memory' in done.stdout
    assert 'annotation 4 of image 1' in done.stdout
    (record,) = json.loads((tmp_path / 'new/out.json').read_text())
    assert record['kind'] == 'iscrowd-missing'
    assert record['level'] == 'mended' and record['count'] == 1


def test_a_file_that_cannot_be_used(labels, tmp_path):
    for item in labels['annotations'][:5]:
        item['image_id'] = 9
    done = run(labels, tmp_path, '--classes', 'dog')
    assert done.returncode == 1
    assert 'Traceback' not in done.stderr
    assert "'dog' (there are 'cat')" in done.stdout
    assert 'annotation 1: image_id 9' in done.stdout
    assert 'and 2 more' in done.stdout
    records = json.loads((tmp_path / 'new/out.json').read_text())
    by_kind = {record['kind']: record for record in records}
    assert len(by_kind['image-id-unknown']['places']) == 5


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['--json=labels.json'], 'the annotation file itself'),
        (['--json=.'], "'.' is a folder"),
        (['--images=photos'], "no such folder: 'photos'"),
    ],
)
def test_options_that_cannot_be_meant(labels, tmp_path, options, words):
    file = tmp_path / 'labels.json'
    file.write_text(json.dumps(labels))
    tool = ROOT / 'tools/check_annotations.py'
    done = run_script(str(tool), 'labels.json', *options, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert json.loads(file.read_text()) == labels


def test_masks_are_looked_at_where_they_are_wanted(labels, tmp_path):
    for item in labels['annotations']:
        item['segmentation'] = [[1, 2, 20, 2, 20, 20]]
    assert run(labels, tmp_path, '--masks').returncode == 0
    labels['annotations'][2]['segmentation'] = [[1, 2]]
    assert run(labels, tmp_path).returncode == 0
    done = run(labels, tmp_path, '--masks')
    assert done.returncode == 1
    assert 'mask-broken (1)' in done.stdout
    assert 'annotation 3: segmentation [[1, 2]]' in done.stdout
