"""A file is whole or not there, whatever happens on the way."""

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from mmselfemd.atomic_file import INCOMPLETE, atomic_write


@pytest.mark.parametrize('durable', [True, False])
def test_failed_write_leaves_the_old_file(tmp_path, durable):
    path = tmp_path / 'new' / 'file'
    with atomic_write(path, durable) as file:
        file.write(b'old')
    with pytest.raises(KeyboardInterrupt), atomic_write(path, durable) as file:
        file.write(b'ne')
        raise KeyboardInterrupt
    assert path.read_bytes() == b'old'
    assert os.listdir(path.parent) == ['file']


@pytest.mark.parametrize('code', [errno.EINVAL, errno.EIO])
def test_a_disk_without_fsync_of_folders_is_no_error(
    tmp_path, monkeypatch, code
):
    fsync = os.fsync

    def without_folders(file):
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(code, os.strerror(code))
        fsync(file)

    monkeypatch.setattr(os, 'fsync', without_folders)
    expected = (
        nullcontext() if code == errno.EINVAL else pytest.raises(OSError)
    )
    with expected, atomic_write(tmp_path / 'file') as file:
        file.write(b'whole')
    assert (tmp_path / 'file').read_bytes() == b'whole'


def test_bytes_are_on_the_disk_before_the_name(tmp_path, monkeypatch):
    order = []
    path = tmp_path / 'file'
    fsync, replace = os.fsync, os.replace

    def record_fsync(file):
        found = [each.read_bytes() for each in tmp_path.glob(f'*{INCOMPLETE}')]
        order.append(('fsync', found))
        fsync(file)

    def record_replace(source, target):
        order.append(('replace', Path(source).suffix, Path(target)))
        replace(source, target)

    monkeypatch.setattr(os, 'fsync', record_fsync)
    monkeypatch.setattr(os, 'replace', record_replace)
    with atomic_write(path) as file:
        file.write(b'whole')
        assert not path.exists()
    renamed = ('replace', INCOMPLETE, path)
    assert order == [('fsync', [b'whole']), renamed, ('fsync', [])]
    order.clear()
    with atomic_write(path, durable=False) as file:
        file.write(b'whole')
    assert order == [renamed]


def test_several_may_write_the_same_file(tmp_path):
    path = tmp_path / 'file'

    def write(number):
        with atomic_write(path, durable=False) as file:
            for _ in range(50):
                file.write(b'%d' % number * 1000)
                file.flush()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    content = path.read_bytes()
    assert len(content) == 50_000 and len(set(content)) == 1
    assert os.listdir(tmp_path) == ['file']
