"""Paths and command lines, as people type them."""

from pathlib import Path

import pytest

from mmselfemd.apis.command_lines import (
    command_line,
    plain_path,
    plain_paths,
)
from mmselfemd.errors import UserError


def test_an_empty_path_is_not_the_present_folder():
    with pytest.raises(UserError, match="--images ''.*not set"):
        plain_path('', '--images')
    assert plain_path('./', '--images') == '.'


def test_a_path_through_a_link_stays_what_it_is(tmp_path, monkeypatch):
    """Behind it, `..` is the folder above the one that it leads to."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'elsewhere' / 'data').mkdir(parents=True)
    (tmp_path / 'link').symlink_to('elsewhere/data')
    (tmp_path / 'elsewhere' / 'photos').mkdir()
    assert Path(plain_path('link/../photos/', '--images')).is_dir()
    assert plain_path('.//link/./', '--images') == 'link'


def test_a_whole_number_is_written_one_way():
    words = [
        command_line('x', value_range=values)
        for values in ([0, 4095], (0.0, 4095.0))
    ]
    assert words[0] == words[1] == 'x --value-range 0 4095'
    assert command_line('x', value_range=[0.25]) == 'x --value-range 0.25'


def test_what_was_not_given_stays_out_and_what_is_empty_is_named():
    paths = plain_paths(images='photos//', val_images=None, init='a://b//c')
    assert paths == dict(images='photos', val_images=None, init='a://b//c')
    with pytest.raises(UserError, match="--val-images ''"):
        plain_paths(images='photos', val_images='')
