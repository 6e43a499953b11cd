"""Folders and lists as people have them."""

import os

import pytest
from mmengine.fileio import get_file_backend
from mmengine.fileio.backends import BaseStorageBackend

from mmselfemd.datasets import UnlabelledDataset
from mmselfemd.datasets.image_sources import ImageFolder, lines_of
from mmselfemd.visualization.image_files import find_images

NAMES = ['1.jpg', 'été/2.jpg', 'a b/3, 4.jpg']
HIDDEN = [
    '.thumbnails/large',
    '.ipynb_checkpoints',
    '.Trash-1000/files',
    '.git',
    '@eaDir',
    '__MACOSX',
    '#recycle',
    '$RECYCLE.BIN',
    'System Volume Information',
    'lost+found',
]


def fill(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(*args, **kwargs):
    dataset = UnlabelledDataset(*args, **kwargs)
    return [os.path.relpath(p, dataset.data_root) for p in dataset.data_list]


@pytest.mark.parametrize('hidden', HIDDEN)
def test_hidden_folders_are_passed_over(tmp_path, logged, hidden):
    fill(tmp_path, *NAMES, f'{hidden}/thumb.jpg', f'a b/{hidden}/thumb.jpg')
    assert found(str(tmp_path)) == sorted(NAMES)
    (line,) = logged
    name = hidden.split('/')[0]
    assert '2 folders (' in line and f'a b/{name}/' in line
    # Who names one wants it.
    assert found(str(tmp_path), data_prefix=hidden) == [f'{hidden}/thumb.jpg']
    assert len(logged) == 1


def test_a_system_s_folder_is_not_even_opened(tmp_path, logged, monkeypatch):
    """That of a mounted disk may be read by its owner, root, alone."""
    fill(tmp_path, *NAMES, 'lost+found/1.jpg')
    scan = os.scandir

    def guarded(folder):
        if 'lost+found' in str(folder):
            raise PermissionError(13, 'Permission denied', str(folder))
        return scan(folder)

    monkeypatch.setattr('os.scandir', guarded)
    assert found(str(tmp_path)) == sorted(NAMES)


def test_they_are_counted_in_one_line(tmp_path, logged):
    for number in range(50):
        fill(tmp_path, f'{number}/1.jpg', f'{number}/@eaDir/1.jpg')
    assert len(found(str(tmp_path))) == 50
    (line,) = logged
    assert '50 folders (' in line and line.count('@eaDir') == 3


def test_names_that_look_alike_are_used(tmp_path, logged):
    names = ['a.thumbnails/1.jpg', 'eaDir/1.jpg', 'x@eaDir/1.jpg']
    fill(tmp_path, *names)
    assert found(str(tmp_path)) == sorted(names) and not logged


def test_the_root_may_be_hidden(tmp_path, logged):
    fill(tmp_path / '.cache' / '@eaDir', *NAMES)
    assert found(str(tmp_path / '.cache/@eaDir')) == sorted(NAMES)
    assert not logged


def test_where_only_hidden_folders_have_images_the_log_says_so(
    tmp_path, logged
):
    fill(tmp_path, '.thumbnails/1.jpg')
    with pytest.raises(FileNotFoundError, match='no image below'):
        found(str(tmp_path))
    assert '.thumbnails/' in logged[0]


@pytest.mark.parametrize(
    'links',
    [
        {'loop': '.'},
        {'été/loop': '..'},
        {'été/loop': '../a b', 'a b/loop': '../été'},
        {'self.jpg': 'self.jpg'},
        {'été/self': 'self'},
        {'one': 'two', 'two': 'one'},
    ],
)
def test_a_loop_of_links_is_a_warning(tmp_path, logged, links):
    fill(tmp_path, *NAMES)
    for name, target in links.items():
        (tmp_path / name).symlink_to(target)
    names = found(str(tmp_path))
    assert set(NAMES) <= set(names) and len(names) == len(set(names))
    assert len({os.path.realpath(tmp_path / name) for name in names}) == 3
    (line,) = logged
    assert 'leading back' in line and next(iter(links)).split('/')[-1] in line


def test_a_link_that_is_no_loop_is_followed(tmp_path, logged):
    fill(tmp_path, 'photos/1.jpg', 'elsewhere/2.jpg')
    (tmp_path / 'photos' / 'more').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'photos' / 'again').symlink_to(tmp_path / 'elsewhere')
    assert found(str(tmp_path / 'photos')) == [
        '1.jpg',
        'again/2.jpg',
        'more/2.jpg',
    ]
    assert not logged


class Remote(BaseStorageBackend):
    """Files that are not on this disk, as far as their reader knows."""

    def __init__(self):
        self.local = get_file_backend('/')
        self.join_path = self.local.join_path
        self.list_dir_or_file = self.local.list_dir_or_file

    def get(self, path):
        raise NotImplementedError

    get_text = get


def test_another_backend_is_asked_for_its_names(tmp_path, logged):
    fill(tmp_path, *NAMES, '.thumbnails/1.jpg', 'été/@eaDir/1.jpg')
    folder = ImageFolder(str(tmp_path), ['.jpg'], Remote())
    assert list(folder) == sorted(NAMES)
    assert len(logged) == 1 and '2 folders (' in logged[0]


def test_pictures_are_of_the_same_files(tmp_path, logged):
    fill(tmp_path, *NAMES, '.thumbnails/1.jpg', 'note.txt', 'more/5.WEBP')
    (tmp_path / 'loop').symlink_to('.')
    assert list(find_images([str(tmp_path)])) == sorted(
        tmp_path / name for name in (*NAMES, 'more/5.WEBP')
    )
    assert len(logged) == 2


@pytest.mark.parametrize(
    'encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be']
)
@pytest.mark.parametrize('end', ['\n', '\r\n', '\n\n \n'])
def test_a_byte_order_mark_loses_no_image(tmp_path, encoding, end):
    fill(tmp_path / 'images', *NAMES)
    mark = '\ufeff' if encoding[-3:] in ('-le', '-be') else ''
    text = mark + end.join([*NAMES, ''])
    (tmp_path / 'list.txt').write_bytes(text.encode(encoding))
    assert found(str(tmp_path), data_prefix='images', ann_file='list.txt') == [
        f'images/{name}' for name in NAMES
    ]


def test_lists_put_one_behind_another_keep_no_mark(tmp_path):
    content = b''.join(f'{n}\n'.encode('utf-8-sig') for n in NAMES)
    (tmp_path / 'list.txt').write_bytes(content + b'\xef\xbb\xbf\n')
    assert list(lines_of(str(tmp_path / 'list.txt'))) == NAMES


def test_names_of_any_encoding_are_read(tmp_path):
    name = b'\xe9t\xe9.jpg'  # Latin 1
    (tmp_path / 'list.txt').write_bytes(name + b'\n')
    (read,) = lines_of(str(tmp_path / 'list.txt'))
    assert os.fsencode(read) == name


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    fill(tmp_path / 'photos', *NAMES)
    (tmp_path / 'list.txt').write_text(NAMES[0])
    monkeypatch.setenv('HOME', str(tmp_path))
    for settings in (
        dict(data_root='~', data_prefix='photos', ann_file='list.txt'),
        dict(data_root='~/photos', ann_file='~/list.txt'),
        dict(data_prefix='~/photos', ann_file='~/list.txt'),
    ):
        (path,) = UnlabelledDataset(**settings).data_list
        assert path == str(tmp_path / 'photos' / NAMES[0])


def test_a_utf_16_list_that_is_cut_off_names_what_it_can(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes('a.png\nb.png'.encode('utf-16')[:-1])
    first, second = lines_of(str(path))
    assert first == 'a.png' and second.startswith('b.pn')
