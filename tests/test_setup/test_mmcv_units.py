"""mmcv's files are put into units, each file once, and apart if need be."""

import itertools

import mmcv_units
import pytest
from fake_mmcv import FOLDER, write_source

# What mmcv 2.1.0 has in cpu/.
CPU_FILES = [name for group in mmcv_units.CPU_GROUPS for name in group]
FIRST = mmcv_units.FIRST[0]


def included(source):
    return [mmcv_units.members(unit) for unit in mmcv_units.units(source)]


@pytest.fixture
def source(tmp_path):
    names = ['pybind', 'nms', 'info', 'roi_align', *CPU_FILES, *FIRST]
    write_source(tmp_path, {name: f'// {name}\n' for name in names})
    (tmp_path / FOLDER / 'cuda').mkdir()
    (tmp_path / FOLDER / 'cuda' / 'cudabind.cpp').write_text('// as it is\n')
    mmcv_units.write_units(tmp_path)
    return tmp_path


def test_files_of_a_known_version_are_in_the_known_groups(source):
    first, bindings, plain, *cpu = included(source)
    # The quickest first, to time it; then the longest.
    assert first == ['cpu/rotated_feature_align']
    assert bindings == ['pybind']
    assert plain == ['info', 'nms', 'roi_align']
    assert cpu == [list(group) for group in mmcv_units.CPU_GROUPS]


def test_the_build_finds_the_units_and_what_is_for_a_gpu(source):
    found = sorted((source / FOLDER).rglob('*.cpp'))
    units = mmcv_units.units(source)
    assert found == [*units, source / FOLDER / 'cuda' / 'cudabind.cpp']


def test_files_are_unchanged_where_they_were(source):
    for unit in mmcv_units.units(source):
        for name in mmcv_units.members(unit):
            text = (unit.parent / f'{name}.cpp.inc').read_text()
            assert text == f'// {name}\n'
            assert f'#include "{name}.cpp.inc"\n' in unit.read_text()


def test_files_of_an_unknown_version_make_groups_of_their_own():
    names = ['cpu/roi_align', 'cpu/new', 'cpu/newer', 'cpu/psamask', 'newest']
    assert mmcv_units.groups(names) == [
        ['newest'],
        ['cpu/roi_align', 'cpu/psamask'],
        ['cpu/new', 'cpu/newer'],
    ]


def failure(source, unit):
    place = unit.with_suffix('.o').relative_to(source)
    return f'  FAILED: [code=1] /room/build/temp.linux/{place} \n'


@pytest.mark.parametrize('one_by_one', [False, True])
def test_unit_that_fails_is_split_and_others_stay(source, one_by_one):
    before = included(source)
    texts = {unit: unit.read_text() for unit in mmcv_units.units(source)}
    failed = mmcv_units.units(source)[3]
    log = failure(source, failed)
    (line,) = mmcv_units.split_failed(source, log, one_by_one)
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
    assert len(single) == 2
    log = ''.join(failure(source, unit) for unit in single)
    assert mmcv_units.split_failed(source, log, False) == []
    assert mmcv_units.split_failed(source, 'error: no disk', False) == []
