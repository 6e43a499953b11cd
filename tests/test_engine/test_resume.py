"""Which checkpoint a run goes on from."""

from pathlib import Path

import pytest

from mmselfemd.engine.resume import find_checkpoint_to_resume


@pytest.fixture
def run(tmp_path):
    """Make a folder with checkpoints, and a last_checkpoint or none."""

    def make(name: str, files=(), pointer=None) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in files:
            (folder / file).touch()
        if pointer is not None:
            (folder / 'last_checkpoint').write_text(str(pointer))
        return folder

    return make


def test_the_pointer_is_followed(run):
    folder = run('a', ['iter_2.pth', 'iter_10.pth'])
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_2.pth'))
    assert find_checkpoint_to_resume(folder) == str(folder / 'iter_2.pth')


def test_a_copy_stays_with_its_own_files(run):
    original = run('a', ['iter_2.pth'])
    copy = run('b', ['iter_2.pth'], original / 'iter_2.pth')
    assert find_checkpoint_to_resume(copy) == str(copy / 'iter_2.pth')


def test_checkpoints_in_another_folder(run):
    saved = run('saved', ['epoch_1.pth'])
    work_dir = run('work', pointer='elsewhere/epoch_1.pth')
    assert find_checkpoint_to_resume(work_dir, saved) == str(
        saved / 'epoch_1.pth'
    )


@pytest.mark.parametrize('pointer', [None, '', 'gone/iter_30.pth'])
def test_without_a_good_pointer_the_newest_counts(run, pointer):
    folder = run(
        'a',
        [
            'iter_2.pth',
            'iter_10.pth',
            'iter_12.pth.incomplete',
            'iter_x.pth',
            'best_acc_iter_20.pth',
        ],
        pointer,
    )
    assert find_checkpoint_to_resume(folder) == str(folder / 'iter_10.pth')


def test_nothing_saved_yet(run, tmp_path):
    assert find_checkpoint_to_resume(run('a')) is None
    assert find_checkpoint_to_resume(tmp_path / 'no_folder') is None


def test_lost_file_is_an_error(run):
    folder = run('a', pointer='gone/iter_30.pth')
    with pytest.raises(FileNotFoundError, match='gone/iter_30.pth'):
        find_checkpoint_to_resume(folder)
