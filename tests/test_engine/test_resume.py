"""Which checkpoint a run goes on from."""

from pathlib import Path

import pytest
import torch

from mmselfemd.engine.resume import find_checkpoint_to_resume


@pytest.fixture
def run(tmp_path):
    """Make a folder with checkpoints, and a last_checkpoint or none."""

    def make(name: str, files=(), pointer=None) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in files:
            torch.save({}, folder / file)
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


@pytest.mark.parametrize(
    ('names', 'newest'),
    [
        (['epoch_2.pth', 'iter_15.pth'], 'epoch_2.pth'),  # iteration 20
        (['epoch_2.pth', 'epoch_1.pth', 'iter_25.pth'], 'iter_25.pth'),
        (['epoch_9.pth', 'epoch_10.pth', 'iter_95.pth'], 'epoch_10.pth'),
        (['mine_3.pth', 'epoch_2.pth'], 'mine_3.pth'),
    ],
)
def test_epochs_and_iterations_are_compared(run, names, newest):
    folder = run('a', names)
    for name in names:
        number = int(name.split('_')[1].removesuffix('.pth'))
        done = number if name.startswith('iter') else 10 * number
        torch.save(dict(meta=dict(iter=done)), folder / name)
    found = find_checkpoint_to_resume(folder, filename_tmpl='mine_{}.pth')
    assert found == str(folder / newest)


def test_nothing_saved_yet(run, tmp_path):
    assert find_checkpoint_to_resume(run('a')) is None
    assert find_checkpoint_to_resume(tmp_path / 'no_folder') is None


def test_lost_file_is_an_error(run):
    folder = run('a', pointer='gone/iter_30.pth')
    with pytest.raises(FileNotFoundError, match='gone/iter_30.pth'):
        find_checkpoint_to_resume(folder)


@pytest.mark.parametrize(
    'rubbish', [b'\0' * 40, b'\xff\xfe\x80', b'x' * 5000, b' \n']
)
def test_rubbish_in_the_pointer(run, rubbish):
    folder = run('a', ['iter_2.pth', 'iter_10.pth'])
    (folder / 'last_checkpoint').write_bytes(rubbish)
    assert find_checkpoint_to_resume(folder) == str(folder / 'iter_10.pth')


def cut_short(path, share=0.9):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


@pytest.mark.parametrize('share', [0, 0.001, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_passed_over(run, logged, share):
    folder = run('a', ['iter_2.pth', 'iter_10.pth', 'iter_12.pth'])
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_12.pth'))
    torch.save(dict(weight=torch.rand(1000)), folder / 'iter_12.pth')
    cut_short(folder / 'iter_12.pth', share)
    assert find_checkpoint_to_resume(folder) == str(folder / 'iter_10.pth')
    (line,) = logged
    assert '(iter_12.pth: cut short); going on from' in line


@pytest.mark.parametrize('with_pointer', [True, False])
def test_nothing_whole_is_an_error(run, with_pointer):
    folder = run('a', ['iter_2.pth'], 'a/iter_2.pth' if with_pointer else None)
    cut_short(folder / 'iter_2.pth')
    with pytest.raises(FileNotFoundError, match='iter_2.pth: cut short'):
        find_checkpoint_to_resume(folder)


def test_an_older_format_of_torch_is_whole(run):
    folder = run('a', ['iter_2.pth'], 'iter_2.pth')
    torch.save({}, folder / 'iter_2.pth', _use_new_zipfile_serialization=False)
    assert find_checkpoint_to_resume(folder) == str(folder / 'iter_2.pth')
