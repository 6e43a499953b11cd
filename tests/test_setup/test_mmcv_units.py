"""mmcv's files are put into units, each file once, and apart if need be."""

import itertools

import mmcv_units
import pytest
from fake_mmcv import FOLDER, write_source

# What mmcv 2.1.0 has in cpu/.
CPU_FILES = [name for group in mmcv_units.CPU_GROUPS for name in group]


def included(source):
    return [mmcv_units.members(unit) for unit in mmcv_units.units(source)]


@pytest.fixture
def source(tmp_path):
    names = ['pybind', 'nms', 'info', 'roi_align']
    names += [f'cpu/{name}' for name in CPU_FILES]
    write_source(tmp_path, {name: f'// {name}\n' for name in names})
    (tmp_path / FOLDER / 'cuda').mkdir()
    (tmp_path / FOLDER / 'cuda' / 'cudabind.cpp').write_text('// as it is\n')
    mmcv_units.write_units(tmp_path)
    return tmp_path


def test_files_of_a_known_version_are_in_the_known_groups(source):
    plain, *cpu = included(source)
    assert plain == ['info.cpp', 'nms.cpp', 'roi_align.cpp']
    assert [[name.removesuffix('.cpp') for name in unit] for unit in cpu] == [
        list(group) for group in mmcv_units.CPU_GROUPS
    ]


def test_the_build_finds_units_and_what_stands_alone(source):
    found = sorted((source / FOLDER).rglob('*.cpp'))
    alone = [
        path.name
        for path in found
        if path not in list(mmcv_units.units(source))
    ]
    assert alone == ['cudabind.cpp', 'pybind.cpp']
    # Compiled in the order of paths: the longest, with most files, first.
    assert found[0] == next(iter(mmcv_units.units(source)))


def test_files_are_unchanged_beside_their_unit(source):
    for unit in mmcv_units.units(source):
        for name in mmcv_units.members(unit):
            text = (unit.parent / f'{name}.inc').read_text()
            assert name.removesuffix('.cpp') in text
            assert f'#include "{name}.inc"\n' in unit.read_text()


def test_files_of_an_unknown_version_make_a_group_of_their_own():
    names = ['roi_align.cpp', 'new.cpp', 'newer.cpp', 'psamask.cpp']
    assert mmcv_units.groups(names, mmcv_units.CPU_GROUPS) == [
        ['roi_align.cpp', 'psamask.cpp'],
        ['new.cpp', 'newer.cpp'],
    ]


def failure(unit):
    place = unit.with_suffix('.o').relative_to(unit.parents[5])
    return f'  FAILED: [code=1] /room/build/temp.linux/{place} \n'


@pytest.mark.parametrize('one_by_one', [False, True])
def test_unit_that_fails_is_split_and_others_stay(source, one_by_one):
    before = included(source)
    texts = {unit: unit.read_text() for unit in mmcv_units.units(source)}
    failed = sorted((source / FOLDER / 'cpu').glob('*.cpp'))[0]
    (line,) = mmcv_units.split_failed(source, failure(failed), one_by_one)
    assert line.startswith('9 of its files do not compile together')
    after = included(source)
    chain = itertools.chain.from_iterable
    assert sorted(chain(after)) == sorted(chain(before))
    assert len(after) == len(before) + (8 if one_by_one else 1)
    changed = [
        unit for unit, text in texts.items() if unit.read_text() != text
    ]
    assert changed == [failed]


def test_what_no_splitting_mends_is_not_split(source):
    single = [
        unit
        for unit in mmcv_units.units(source)
        if len(mmcv_units.members(unit)) == 1
    ]
    log = failure(*single) + failure(source / FOLDER / 'pybind.cpp')
    assert mmcv_units.split_failed(source, log, False) == []
    assert mmcv_units.split_failed(source, 'error: no disk', False) == []
