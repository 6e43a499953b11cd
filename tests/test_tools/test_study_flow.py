"""The study, on a handful of made-up pictures."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from forked_scripts import run_script

from mmselfemd.errors import UserError
from mmselfemd.study import (
    Length,
    Origin,
    find_candidates,
    plan_runs,
    save_length,
    save_sums,
)

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'analysis_tools' / 'study_flow.py'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Pictures of two kinds of boxes, as ``voc07_256`` is laid out."""
    folder = tmp_path_factory.mktemp('voc')
    (folder / 'images').mkdir()
    (folder / 'annotations').mkdir()
    rng = np.random.default_rng(0)
    number = 0
    for split, count in (('train3000', 64), ('val1952', 8)):
        images, boxes = [], []
        for _ in range(count):
            number += 1
            pixels = rng.integers(0, 255, (64, 80, 3), np.uint8)
            images.append(
                dict(id=number, file_name=f'{number}.png', height=64, width=80)
            )
            for kind, (left, top) in enumerate(((5, 5), (45, 30))):
                pixels[top : top + 20, left : left + 24] = 255 * kind
                boxes.append(
                    dict(
                        id=2 * number + kind,
                        image_id=number,
                        category_id=kind + 1,
                        bbox=[left, top, 24, 20],
                        area=480,
                        iscrowd=0,
                    )
                )
            cv2.imwrite(str(folder / 'images' / f'{number}.png'), pixels)
        content = dict(
            images=images,
            annotations=boxes,
            categories=[dict(id=i, name=n) for i, n in ((1, 'a'), (2, 'b'))],
        )
        path = folder / 'annotations' / f'instances_{split}.json'
        path.write_text(json.dumps(content))
    return folder


def run(data, work_dir, *options):
    return run_script(
        TOOL,
        *('--data', data, '--work-dir', work_dir),
        *('--epochs', '2', '--interval', '1', '--seeds', '0'),
        *('--candidates', 'known_pairs', *options),
    )


def first_validation(run_dir):
    (log,) = run_dir.glob('*/vis_data/scalars.json')
    first = json.loads(log.read_text().splitlines()[0])
    return {k: v for k, v in first.items() if k.startswith('matching/')}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_pictures_to_a_table_and_again(data, tmp_path):
    said = run(data, tmp_path)
    assert said.returncode == 0, said.stderr[-2000:]
    records = json.loads((tmp_path / 'what_the_flow_adds.json').read_text())
    read = {(r['candidate'], r['seed'], r['epoch']) for r in records}
    assert read == {('untrained', 0, 0)} | {
        (name, 0, epoch)
        for name in ('byol_three_views', 'known_pairs')
        for epoch in (1, 2)
    }
    controls = {'accuracy', 'same_position', 'other_image', 'gain', 'chance'}
    for record in records:
        assert controls | {'ridge', 'knn', 'knn_balanced'} <= record.keys()
        gain = record['accuracy'] - record['other_image']
        assert record['gain'] == pytest.approx(gain, abs=2e-5)
    logs = json.loads((tmp_path / 'what_the_logs_say.json').read_text())
    assert {log['candidate']: log['epochs'] for log in logs} == {
        'byol_three_views': 2,
        'known_pairs': 2,
    }
    table = (tmp_path / 'what_the_flow_adds.md').read_text()
    for label in ('untrained', 'BYOL, the same three views', 'bound'):
        assert label in table
    assert '(one seed)' in table
    assert (tmp_path / 'what_the_flow_adds.png').stat().st_size > 10_000

    # The candidates begin from one backbone: so the first validation, before
    # anything is trained, is the same.
    byol, known_pairs = (
        first_validation(tmp_path / name)
        for name in ('byol_three_views_0_2epochs', 'known_pairs_0_2epochs')
    )
    assert byol == known_pairs
    backbone = (tmp_path / 'untrained_0.pth').read_bytes()

    # What is there is not made again, and reads the same.
    again = run(data, tmp_path)
    assert again.returncode == 0, again.stderr[-2000:]
    assert 'training' not in again.stdout
    assert 'reading' not in again.stdout
    assert table in again.stdout
    assert (tmp_path / 'untrained_0.pth').read_bytes() == backbone

    # Nor is what another machine has read.
    elsewhere = tmp_path / 'another machine'
    shutil.copytree(tmp_path / 'readings', elsewhere / 'readings')
    there = run(data, elsewhere)
    assert there.returncode == 0, there.stderr[-2000:]
    assert 'training' not in there.stdout
    assert 'reading' not in there.stdout.replace('readings', '')
    assert table in there.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_that_fails_says_where_its_log_is(data, tmp_path):
    (tmp_path / 'known_pairs_0_2epochs').mkdir()
    # No checkpoint, though the run seems to have had one.
    (tmp_path / 'known_pairs_0_2epochs' / 'last_checkpoint').write_text(
        'gone.pth'
    )
    said = run(data, tmp_path)
    assert said.returncode == 2
    error = said.stderr.splitlines()[-1]
    assert 'known_pairs_0_2epochs' in error and 'train.log' in error
    # The baseline's readings are not lost.
    records = json.loads((tmp_path / 'what_the_flow_adds.json').read_text())
    assert ('byol_three_views', 2) in {
        (r['candidate'], r['epoch']) for r in records
    }


def test_a_reading_of_another_study_is_refused_before_anything(data, tmp_path):
    (run_of_byol, _) = plan_runs(
        find_candidates(['known_pairs']), [0], ROOT, tmp_path, 2, 1
    )
    sums = dict(matching=np.ones((1, 9)), boxes=np.ones((1, 9)))
    origin = Origin(np.ones(3), 'other boxes')
    for epoch in (1, 2):
        save_sums(run_of_byol.reading_path(epoch), sums, origin)
    said = run(data, tmp_path)
    assert said.returncode == 2
    assert 'training' not in said.stdout
    error = said.stderr.splitlines()[-1]
    assert run_of_byol.reading_path(1).name in error
    assert 'other images or boxes' in error and '--work-dir' in error


def test_the_time_is_kept_and_the_next_call_goes_on(data, tmp_path):
    said = run(data, tmp_path, '--minutes', '0.0')
    assert said.returncode == 0, said.stderr[-2000:]
    records = json.loads((tmp_path / 'what_the_flow_adds.json').read_text())
    assert {r['candidate'] for r in records} == {'untrained'}


def test_what_was_chosen_by_the_time_is_gone_on_with(data, tmp_path):
    runs = plan_runs(find_candidates(None), [5, 6], ROOT, tmp_path, 4, 1)
    save_length(tmp_path, Length(8, [5]), runs)
    options = '--data', data, '--work-dir', tmp_path, '--seeds', '5', '6'
    said = run_script(TOOL, *options, '--minutes', '0.001', '--fit')
    assert said.returncode == 0, said.stderr[-2000:]
    assert '8 epochs, seeds 5' in said.stdout
    assert 'measuring' not in said.stdout
    records = json.loads((tmp_path / 'what_the_flow_adds.json').read_text())
    assert {(r['candidate'], r['seed']) for r in records} >= {('untrained', 5)}


def test_wrong_words_are_answered(tmp_path):
    with pytest.raises(UserError, match='known_pairs'):
        find_candidates(['known_pears'])
    with pytest.raises(UserError, match='divides'):
        plan_runs(find_candidates(None), [0], ROOT, tmp_path, 40, 7)
    said = run(tmp_path / 'nothing', tmp_path)
    assert said.returncode == 2
    assert "there is no folder 'images'" in said.stderr


@pytest.mark.parametrize(
    'options, named',
    [
        (['--jobs', '0'], '--jobs 0'),
        (['--seeds', '-1'], '--seeds'),
        (['--seeds', '99999999999'], '--seeds'),
        (['--minutes', '9', '--fit'], '--fit'),  # with --epochs
        (['--epochs', '0'], '0 epochs'),
        ([], 'instances_val1952.json'),
    ],
)
def test_what_cannot_be_meant_is_answered(data, tmp_path, options, named):
    if not options:
        data = shutil.copytree(data, tmp_path / 'data')
        (data / 'annotations/instances_val1952.json').write_text(
            '{"images": ['
        )
    said = run(data, tmp_path / 'study', *options)
    assert said.returncode == 2
    assert named in said.stderr
    assert 'Traceback' not in said.stderr
