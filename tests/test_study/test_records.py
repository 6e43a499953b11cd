"""Readings that were made on several machines, put together."""

import numpy as np
import pytest

from mmselfemd.errors import UserValueError
from mmselfemd.study import find_candidates, load_sums, plan_runs, save_sums

SUMS = dict(matching=np.arange(6.0).reshape(2, 3), boxes=np.ones((4, 2)))
BEGINNING = np.array([1.0, 20.0, 0.3])


def plan(folder, epochs=40):
    return plan_runs(
        find_candidates(['uniform']), [5], folder, folder, epochs, 10
    )


def same(sums):
    return all(np.array_equal(sums[name], SUMS[name]) for name in SUMS)


def test_a_reading_is_kept(tmp_path):
    save_sums(tmp_path / 'a.npz', SUMS, BEGINNING)
    # Another processor draws other last digits.
    assert same(load_sums(tmp_path / 'a.npz', BEGINNING * (1 + 1e-6)))
    assert same(load_sums(tmp_path / 'a.npz'))


@pytest.mark.parametrize(
    'kept', [None, np.zeros(0), BEGINNING * 1.01, BEGINNING[:2]]
)
def test_a_run_that_began_from_other_weights_is_no_pair(tmp_path, kept):
    save_sums(tmp_path / 'a.npz', SUMS, kept)
    with pytest.raises(UserValueError, match=r'a\.npz.*another untrained'):
        load_sums(tmp_path / 'a.npz', BEGINNING)


def test_runs_that_began_apart_are_read_as_before(tmp_path):
    """In a study that keeps no untrained backbone."""
    save_sums(tmp_path / 'a.npz', SUMS)
    assert same(load_sums(tmp_path / 'a.npz', np.zeros(0)))


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
        save_sums(run.reading_path(10), SUMS)
        save_sums(run.reading_path(20), SUMS)
        assert run.is_done
    for run in plan(tmp_path, 40):
        assert not run.readings
