"""tools/compare_detectors.py, run as a user runs it."""

import json
from pathlib import Path

import numpy as np
import pytest
from forked_scripts import run_script
from made_up_detections import evaluate, make_annotations, make_results

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/compare_detectors.py'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Annotations, three seeds of a better and of a worse detector."""
    folder = tmp_path_factory.mktemp('detectors')
    rng = np.random.default_rng(0)
    content = make_annotations(rng, 20, 2)
    (folder / 'val.json').write_text(json.dumps(content))
    for name, skill in dict(good=0.9, poor=0.4).items():
        for seed in range(3):
            results = make_results(rng, content, skill)
            (folder / f'{name}{seed}.json').write_text(json.dumps(results))
    half = {each['id'] for each in content['images'][:10]}
    for name in ('one', 'other'):
        part = [
            each
            for each in results
            if (each['image_id'] in half) == (name == 'one')
        ]
        (folder / f'{name}.json').write_text(json.dumps(part))
    return folder


def run(folder, *options):
    options += ('--ann', 'val.json', '--resamples', 50)
    return run_script(TOOL, *options, cwd=folder)


def seeds(name):
    return [f'{name}{seed}.json' for seed in range(3)]


def test_seeds_of_two_detectors(folder, tmp_path):
    out = tmp_path / 'new' / 'report.json'
    done = run(
        folder,
        *('--first', *seeds('good'), '--second', *seeds('poor')),
        *('--names', 'Self-EMD', 'random', '--classwise', '--json', out),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    last = done.stdout.splitlines()[-1]
    assert last == report['sentence']
    assert last.startswith('Self-EMD helps by ')
    assert '3 seeds' in last
    content = json.loads((folder / 'val.json').read_text())
    found = json.loads((folder / 'poor1.json').read_text())
    stats = evaluate(content, found).stats
    assert report['runs'][1][1]['AP'] == pytest.approx(stats[0])
    assert set(report['classes']) == {'thing 0', 'thing 1'}
    difference = report['differences']['AP_large']
    assert difference['low'] < difference['mean'] < difference['high']
    for word in ('AP_small', 'thing 1', f'{100 * difference["mean"]:+.1f}'):
        assert word in done.stdout


def test_one_seed_of_each_is_too_few(folder):
    done = run(folder, 'good0.json', 'poor0.json', '--metric', 'AP')
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith('good0 is ') and 'AP above poor0' in last
    assert 'one seed is too few' in last


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['good0.json'], 'expected two result files'),
        (['--first', 'good0.json'], 'expected two result files'),
        (
            ['--first', *seeds('good'), '--second', 'poor0.json'],
            'the same seeds of both; got 0 without an option, 3 after',
        ),
        (['one.json', 'other.json'], 'no image in common'),
        (['val.json', 'poor0.json'], 'this is an annotation file'),
        (['good0.json', 'none.json'], 'no such result file'),
        (['good0.json', 'poor0.json', '--json', '.'], 'is a folder'),
    ],
)
def test_what_cannot_be_compared(folder, options, words):
    done = run(folder, *options)
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert 'Traceback' not in done.stderr


def test_names_and_classes_are_no_markup(folder, tmp_path):
    content = json.loads((folder / 'val.json').read_text())
    content['categories'][0]['name'] = 'sign [/stop]'
    (tmp_path / 'val.json').write_text(json.dumps(content))
    files = [folder / f'{name}0.json' for name in ('good', 'poor')]
    done = run(tmp_path, *files, '--classwise', '--names', '[b]A', 'B')
    assert done.returncode == 0, done.stderr
    *table, sentence = done.stdout.splitlines()
    assert sentence.startswith('[b]A is ')
    for name in ('[b]A', 'sign [/stop]'):
        assert name in '\n'.join(table)


def test_files_of_one_name_are_told_apart(folder):
    files = []
    for name in ('good', 'poor'):
        (folder / name).mkdir()
        files.append(f'{name}/predictions.bbox.json')
        (folder / files[-1]).write_text((folder / f'{name}0.json').read_text())
    done = run(folder, *files)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f'{files[0]} is ') and f'above {files[1]}' in last


def test_a_file_is_not_written_over_one_that_is_read(folder):
    before = (folder / 'good0.json').read_text()
    done = run(folder, 'good0.json', 'poor0.json', '--json', './good0.json')
    assert done.returncode == 2
    assert 'one of the files that are read' in done.stderr
    assert (folder / 'good0.json').read_text() == before
    done = run(folder, 'good0.json', 'poor0.json', '--json', 'val.json/a.json')
    assert done.returncode == 2 and 'Traceback' not in done.stderr
    assert done.stderr.endswith("File exists: 'val.json'\n")


def test_one_run_is_not_taken_for_several_seeds(folder):
    copy = folder / 'copy0.json'
    copy.write_text((folder / 'good0.json').read_text())
    done = run(
        folder,
        *('--first', 'good0.json', 'copy0.json'),
        *('--second', 'poor0.json', 'poor1.json'),
    )
    assert done.returncode == 2
    assert 'are one run, not two seeds' in done.stderr
