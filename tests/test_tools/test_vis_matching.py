"""tools/visualization/vis_matching.py, as a user runs it."""

import os
from pathlib import Path
from subprocess import CompletedProcess

from forked_scripts import run_script
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'demo' / 'selfemd_r18_scenes.py'
KINDS = ('heat', 'lines')


def run(folder: Path, *args: object) -> CompletedProcess:
    return run_script(
        ROOT / 'tools' / 'visualization' / 'vis_matching.py',
        *args,
        *('--config', CONFIG, '--out', 'out', '--cfg-options'),
        'model.backbone.base_channels=8',
        cwd=folder,
        env=os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_and_folders_are_drawn_and_bad_ones_skipped(
    tmp_path, image_folder
):
    (tmp_path / 'broken.jpg').write_bytes(b'no image')
    # Of one name, in two folders.
    twin = image_folder / 'more' / '0.jpg'
    twin.write_bytes((image_folder / '3.jpg').read_bytes())
    arguments = 'broken.jpg', 'absent.jpg', image_folder / '0.jpg', twin
    done = run(tmp_path, *arguments, '--html')
    assert done.returncode == 0, done.stderr
    drawn = {
        f'{name}_{kind}.png' for name in ('0', '0_2') for kind in KINDS
    } | {'index.html'}
    first = contents(tmp_path / 'out')
    assert first.keys() == drawn
    for name in drawn:
        assert f'out/{name}' in done.stdout
    for name in ('broken.jpg', 'absent.jpg'):
        assert f'Skipped {name}' in done.stdout + done.stderr
    assert ' s left' in done.stdout
    for name in drawn - {'index.html'}:
        with Image.open(tmp_path / 'out' / name) as image:
            assert image.width > 400
        assert name in first['index.html'].decode()


def test_all_positions_of_several_pairs(tmp_path, image_folder):
    options = '--positions', 'all', '--num-pairs', '2', '--seed', '3'
    done = run(tmp_path, image_folder / '1.jpg', *options)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / 'out').keys() == {
        f'1_pair{pair}_{kind}.png'
        for pair in (1, 2)
        for kind in ('all', 'lines')
    }


def test_mistakes_are_one_line(tmp_path):
    done = run(tmp_path, 'absent.jpg')
    assert done.returncode == 2
    assert 'Nothing was drawn' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'out').exists()
