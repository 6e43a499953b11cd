"""Curves of runs and of checkpoints."""

import json

import pytest

from mmselfemd.errors import UserValueError
from mmselfemd.visualization import read_curves
from mmselfemd.visualization.curve_sources import logs_of_run


def record(folder, name, *lines):
    path = folder / name / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(json.dumps(line) for line in lines))


def test_a_resumed_run_is_one_curve(tmp_path):
    record(
        tmp_path,
        '20260101_000000',
        dict(step=1, loss=4.0),
        dict(step=2, loss=3.0),
        dict(step=3, loss=9.0),  # lost with the run, and made again
    )
    record(
        tmp_path,
        '20260102_000000',
        dict(step=3, loss=2.0),
        dict(step=1, **{'matching/accuracy': 0.3}),
    )
    curves = read_curves(tmp_path)
    assert curves['loss'] == ([1, 2, 3], [4.0, 3.0, 2.0])
    assert curves['matching/accuracy'] == ([1], [0.3])


def test_what_another_run_left_in_the_folder_is_no_part_of_it(tmp_path):
    record(
        tmp_path,
        '20260101_000000',
        dict(step=10, loss=9.0),
        dict(step=20, loss=8.0),
        dict(step=30, loss=7.0),
    )
    record(tmp_path, '20260102_000000', dict(step=10, loss=4.0))
    record(tmp_path, '20260103_000000', dict(step=20, loss=3.0))
    record(tmp_path, '20260104_000000', dict(step=1, accuracy=0.5))
    curves = read_curves(tmp_path)
    assert curves['loss'] == ([10, 20], [4.0, 3.0])
    assert curves['accuracy'] == ([1], [0.5])
    assert [file.parts[-3] for file in logs_of_run(tmp_path)] == [
        f'2026010{day}_000000' for day in (2, 3, 4)
    ]


@pytest.mark.parametrize('wrap', [False, True])
def test_checkpoints_are_in_the_order_of_their_numbers(tmp_path, wrap):
    results = {
        'runs/a/epoch_10.pth': dict(accuracy=0.3),
        'untrained': dict(accuracy=0.1),
        'runs/a/epoch_2.pth': dict(
            accuracy=0.2, differences=dict(untrained=dict(accuracy={}))
        ),
    }
    path = tmp_path / 'results.json'
    content = dict(settings={}, readings=results) if wrap else results
    path.write_text(json.dumps(content))
    expected = ([0, 2, 10], [0.1, 0.2, 0.3])
    assert read_curves(path) == dict(accuracy=expected)


def test_checkpoints_of_two_runs_are_no_curve(tmp_path):
    path = tmp_path / 'results.json'
    names = ('a/epoch_2.pth', 'b/epoch_2.pth')
    path.write_text(json.dumps(dict.fromkeys(names, dict(accuracy=0.1))))
    with pytest.raises(UserValueError, match='both have the number 2'):
        read_curves(path)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(UserValueError, match='neither'):
        read_curves(tmp_path / 'nowhere')
    with pytest.raises(UserValueError, match='scalars.json'):
        read_curves(tmp_path)
    for content in ('no json', '[1]', '{"last.pth": {"accuracy": 1}}'):
        path = tmp_path / 'results.json'
        path.write_text(content)
        with pytest.raises(UserValueError, match='numbered checkpoints'):
            read_curves(path)
