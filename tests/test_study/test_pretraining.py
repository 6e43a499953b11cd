"""Runs of a study: where they are, what there is of them, their workers."""

import pytest

from mmselfemd.errors import UserError
from mmselfemd.study import find_candidates, plan_runs, worker_options

WORKERS = 'train_dataloader.num_workers'


def plan(work_dir, epochs, interval):
    chosen = find_candidates(['selfemd'])
    return plan_runs(chosen, [7], work_dir, work_dir, epochs, interval)


@pytest.mark.parametrize(
    'gpus, cores, jobs, workers',
    [(1, 16, 4, 4), (1, 16, 1, 16), (1, 4, 4, 2), (8, 64, 8, 8)],
)
def test_cores_are_shared_by_the_runs(gpus, cores, jobs, workers):
    assert worker_options(gpus, cores, jobs) == {WORKERS: workers}
    assert jobs * workers <= max(cores, 2 * jobs)
    assert worker_options(0, cores, jobs) == {}


def test_a_run_is_done_by_its_last_checkpoint_or_all_its_readings(tmp_path):
    byol, selfemd = plan(tmp_path, 4, 2)
    assert byol.name == 'byol_three_views_7_4epochs'
    assert not byol.is_done and not selfemd.is_done
    selfemd.work_dir.mkdir()
    (selfemd.work_dir / 'epoch_2.pth').touch()
    assert [*selfemd.checkpoints] == [2] and not selfemd.is_done
    (selfemd.work_dir / 'epoch_3.pth').touch()  # of another interval
    assert [*selfemd.checkpoints] == [2]
    (selfemd.work_dir / 'epoch_4.pth').touch()
    assert selfemd.is_done

    byol.reading_path(4).parent.mkdir()
    byol.reading_path(4).touch()
    assert not byol.is_done  # the curve would lack its first point
    byol.reading_path(2).touch()
    assert byol.is_done and [*byol.readings] == [2, 4]


@pytest.mark.parametrize('epochs, interval', [(40, 7), (1, 1), (4, 0)])
def test_the_last_epoch_is_read(tmp_path, epochs, interval):
    with pytest.raises(UserError, match='divides'):
        plan(tmp_path, epochs, interval)
