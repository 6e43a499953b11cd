"""tools/download_model.py, run as a user runs it."""

import os
from subprocess import CompletedProcess

import torch
from forked_scripts import run_script

from mmselfemd.zoo.download import sha256_of


def run(root, *arguments, **environment) -> CompletedProcess:
    return run_script(
        root / 'tools' / 'download_model.py',
        *arguments,
        env=dict(os.environ, PYTHONPATH=str(root), **environment),
    )


def test_a_file_of_the_zoo_is_put_into_a_folder(root, tmp_path):
    zoo = tmp_path / 'zoo'
    zoo.mkdir()
    name = 'selfemd_r50_coco_800e'
    torch.save(dict(state_dict=dict(a=torch.ones(1))), zoo / f'{name}.pth')
    done = run(root, name, '--dest', tmp_path / 'dest', MMSELFEMD_ZOO=str(zoo))
    assert done.returncode == 0, done.stderr
    out = tmp_path / 'dest' / f'{name}.pth'
    assert out.read_bytes() == (zoo / f'{name}.pth').read_bytes()
    for fact in (
        str(out),
        f'{out.stat().st_size:,} bytes',
        sha256_of(out),
    ):
        assert fact in done.stdout


def test_what_is_not_published_says_how_it_is_trained(root, tmp_path):
    done = run(root, 'byol_r50_coco_800e', '--dest', tmp_path / 'dest')
    assert done.returncode == 2
    assert 'not published' in done.stderr
    command = 'tools/dist_train.sh configs/byol/byol_r50_coco_800e.py 8'
    assert command in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'dest').exists()
