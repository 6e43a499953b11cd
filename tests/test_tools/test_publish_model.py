"""tools/publish_model.py, run as a user runs it."""

import os
from subprocess import CompletedProcess

from finished_demo import NAME, make_demo, make_index
from forked_scripts import run_script

from mmselfemd.zoo import read_model_index
from mmselfemd.zoo.download import sha256_of


def run(root, *arguments) -> CompletedProcess:
    return run_script(
        root / 'tools' / 'publish_model.py',
        *arguments,
        env=dict(os.environ, PYTHONPATH=str(root)),
    )


def test_it_says_what_it_wrote_and_why_not(root, tmp_path):
    index = tmp_path / 'project'
    make_index(index)
    demo = make_demo(tmp_path / 'scenes_0')
    done = run(root, demo, '--root', index)
    assert done.returncode == 0, done.stderr
    entry = read_model_index(index)[NAME]
    weights = index / entry['Weights']
    for fact in (
        f'{weights}: {weights.stat().st_size:,} bytes',
        *(f'{NAME}.md', f'{NAME}.json', f'{NAME}.png'),
        f'sha256: {sha256_of(weights)}',
        f'Weights: {entry["Weights"]}',
    ):
        assert fact in done.stdout
    (demo / 'summary.json').unlink()
    done = run(root, demo, '--root', index, '--force')
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith('publish_model.py: error: ')
    assert 'summary.json is not there' in line
