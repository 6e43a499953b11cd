"""tools/dataset_converters/split_annotations.py, as a user runs it."""

import json
from pathlib import Path

from forked_scripts import run_script
from PIL import Image

ROOT = Path(__file__).parents[2]


def run(tmp_path, *options):
    return run_script(
        'tools/dataset_converters/split_annotations.py',
        tmp_path / 'labels.json',
        f'--images={tmp_path}',
        *options,
        cwd=ROOT,
    )


def test_two_files_and_what_they_lack(tmp_path):
    for n in range(1, 11):
        Image.new('RGB', (60, 40), (n, 0, 0)).save(tmp_path / f'{n}.png')
    box = dict(bbox=[1, 1, 20, 20], area=400, iscrowd=0)
    content = dict(
        images=[
            dict(id=n, file_name=f'{n}.png', width=60, height=40)
            for n in range(1, 11)
        ],
        annotations=[
            dict(id=n, image_id=n, category_id=1 + (n == 1), **box)
            for n in range(1, 11)
        ],
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
    )
    (tmp_path / 'labels.json').write_text(json.dumps(content))
    done = run(tmp_path, '--val=0.2')
    assert done.returncode == 0, done.stderr
    assert 'labels_train.json: 8 images, cat ' in done.stdout
    assert 'labels_val.json: 2 images, cat ' in done.stdout
    assert done.stdout.count('no box of dog here') == 1
    val = json.loads((tmp_path / 'labels_val.json').read_text())
    assert len(val['images']) == len(val['annotations']) == 2
    again = run(tmp_path)
    assert again.returncode == 2
    assert "labels_train.json' exists" in again.stderr
    elsewhere = run(tmp_path, f'--out-dir={tmp_path}/new', '--val=0.2')
    assert elsewhere.returncode == 0
    assert json.loads((tmp_path / 'new/labels_val.json').read_text()) == val
    nowhere = run(tmp_path / 'none')
    assert nowhere.returncode == 2
    assert 'no such folder' in nowhere.stderr
