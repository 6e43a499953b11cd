"""Readings that were made on several machines, put together."""

import numpy as np
import pytest

from mmselfemd.errors import UserError
from mmselfemd.study import (
    BASELINE,
    Origin,
    Record,
    differences_of,
    differences_to_baseline,
    digest_of,
    find_candidates,
    load_sums,
    plan_runs,
    save_sums,
)

SUMS = dict(matching=np.arange(6.0).reshape(2, 3), boxes=np.ones((4, 2)))
ORIGIN = Origin(np.array([1.0, 20.0, 0.3]), 'some boxes')


def plan(folder, epochs=40):
    return plan_runs(
        find_candidates(['uniform']), [5], folder, folder, epochs, 10
    )


def same(sums):
    assert sums.keys() == SUMS.keys()
    return all(np.array_equal(sums[name], SUMS[name]) for name in SUMS)


def test_a_reading_is_kept(tmp_path):
    save_sums(tmp_path / 'a.npz', SUMS, ORIGIN)
    # Another processor draws other last digits.
    origin = ORIGIN._replace(beginning=ORIGIN.beginning * (1 + 1e-6))
    assert same(load_sums(tmp_path / 'a.npz', origin))
    assert same(load_sums(tmp_path / 'a.npz'))


@pytest.mark.parametrize(
    'other, said',
    [
        (dict(beginning=ORIGIN.beginning * 1.01), 'untrained backbone'),
        (dict(beginning=ORIGIN.beginning[:2]), 'untrained backbone'),
        (dict(data='other boxes'), 'other images or boxes'),
    ],
)
def test_a_reading_of_another_study_is_no_pair(tmp_path, other, said):
    save_sums(tmp_path / 'a.npz', SUMS, ORIGIN._replace(**other))
    with pytest.raises(UserError, match=rf'a\.npz.*{said}.*--work-dir'):
        load_sums(tmp_path / 'a.npz', ORIGIN)


@pytest.mark.parametrize('size', [0, 100, -100])
def test_a_reading_that_was_copied_in_part_is_named(tmp_path, size):
    path = tmp_path / 'a.npz'
    save_sums(path, SUMS, ORIGIN)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match=r'a\.npz.*damaged'):
        load_sums(path, ORIGIN)


def test_a_reading_of_unknown_origin_is_none_of_the_study(tmp_path):
    save_sums(tmp_path / 'a.npz', SUMS)
    with pytest.raises(UserError, match=r'a\.npz.*no reading of this study'):
        load_sums(tmp_path / 'a.npz', ORIGIN)


def test_what_was_read_elsewhere_is_not_trained_here(tmp_path):
    byol, uniform = plan(tmp_path)
    for epoch in (10, 20, 30):
        save_sums(uniform.reading_path(epoch), SUMS)
    assert not uniform.is_done
    save_sums(uniform.reading_path(40), SUMS)
    assert uniform.is_done and [*uniform.readings] == [10, 20, 30, 40]
    assert not byol.is_done and not uniform.checkpoints


def test_a_run_of_another_length_is_another_run(tmp_path):
    for run in plan(tmp_path, 20):
        run.work_dir.mkdir()
        for epoch in (10, 20):
            (run.work_dir / f'epoch_{epoch}.pth').touch()
            save_sums(run.reading_path(epoch), SUMS)
        assert run.is_done
    for run in plan(tmp_path, 40):
        assert not run.readings and not run.checkpoints


def test_files_are_told_apart_by_their_content_and_order(tmp_path):
    files = [tmp_path / name for name in 'ab']
    for content in (b'x', b'y'), (b'x', b'xy'), (b'xx', b'y'):
        for file, each in zip(files, content, strict=True):
            file.write_bytes(each)
    found = digest_of(files)
    assert digest_of(files) == found
    assert digest_of(files[::-1]) != found
    files[1].write_bytes(b'z')
    assert digest_of(files) != found


def counted(generator):
    """What might be counted in six images."""
    return dict(
        matching=1 + generator.random((6, 2, 5)),
        boxes=1 + generator.random((6, 3, 4)),
    )


def test_only_the_same_seeds_and_epochs_are_compared():
    generator = np.random.default_rng(0)
    own, others = (
        {seed: counted(generator) for seed in range(4)} for _ in range(2)
    )
    records = [Record('selfemd', seed, 20, own[seed]) for seed in (3, 1, 2)]
    records += [Record(BASELINE, seed, 20, others[seed]) for seed in (0, 2, 3)]
    records += [
        Record(name, seed, epoch, counted(generator))
        for name in ('selfemd', BASELINE)
        for seed in range(4)
        for epoch in (10, 40)
    ]
    found = differences_to_baseline(records, 20)['selfemd']
    expected = differences_of([own[2], own[3]], [others[2], others[3]])
    assert found == expected
