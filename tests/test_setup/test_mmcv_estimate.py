"""The time left is told by the time of the files that are compiled."""

import os

import mmcv_estimate
import mmcv_units
import pytest
from fake_mmcv import FOLDER, write_source


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(mmcv_estimate, 'time', clock)
    return clock


def test_files_are_compiled_in_order_a_few_at_a_time():
    times = mmcv_estimate.finishing_times
    assert times([3, 2, 1], jobs=1) == [3, 5, 6]
    assert times([3, 2, 2], jobs=2) == [2, 3, 4]
    assert times([3, 2], jobs=8) == [2, 3]


@pytest.mark.parametrize('speed', [0.5, 4.0])
@pytest.mark.parametrize('jobs', [1, 2])
def test_first_file_tells_the_speed_of_this_machine(clock, speed, jobs):
    works = [60, 20, 15, 15, 10, 20]
    times = mmcv_estimate.finishing_times(works, jobs)
    reader = mmcv_estimate.BuildProgress(works, jobs)
    clock.now += 10  # pip, before anything is compiled
    assert reader("  building 'mmcv._ext' extension\n") is None
    assert reader('  copying x\n') is None
    whole = 10 + speed * (times[-1] + mmcv_estimate.REST)
    for done, moment in enumerate(times, 1):
        clock.now = 110 + speed * moment
        fraction, words = reader(f'  [{done}/6] c++ -MMD x.cpp\n')
        assert words == f'{done}/6'
        assert (clock.now - 100) / fraction == pytest.approx(whole)


def test_a_machine_that_slows_down_is_seen(clock):
    reader = mmcv_estimate.BuildProgress([10] * 10, jobs=1)
    clock.now += 10
    fast = 10 / reader('[1/10] c++\n')[0]
    clock.now += 50
    slow = 60 / reader('[2/10] c++\n')[0]
    assert slow > 2 * fast


def test_only_what_is_not_compiled_yet_counts(tmp_path):
    write_source(tmp_path, dict.fromkeys(['pybind', 'a', 'cpu/nms'], '\n'))
    mmcv_units.write_units(tmp_path)
    every = mmcv_estimate.files_to_compile(tmp_path, cuda=False)
    assert every == mmcv_units.units(tmp_path)
    assert len(every) == 3
    made = tmp_path / 'build' / 'temp.linux' / FOLDER / 'amalgamation_02.o'
    made.parent.mkdir(parents=True)
    made.touch()
    left = mmcv_estimate.files_to_compile(tmp_path, cuda=False)
    assert left == [every[0], every[2]]
    mmcv_units.write_unit(every[1], ['a'])  # as if split
    os.utime(made, (0, 0))
    assert mmcv_estimate.files_to_compile(tmp_path, cuda=False) == every


def test_gpu_build_counts_its_files_for_each_architecture(tmp_path):
    write_source(tmp_path, {'pybind': '\n'})
    cuda = tmp_path / FOLDER / 'cuda'
    cuda.mkdir()
    for name in ('nms_cuda.cu', 'cudabind.cpp'):
        (cuda / name).touch()
    assert len(mmcv_estimate.files_to_compile(tmp_path, cuda=False)) == 1
    files = mmcv_estimate.files_to_compile(tmp_path, cuda=True)
    assert [file.name for file in files] == [
        'cudabind.cpp',
        'nms_cuda.cu',
        'pybind.cpp',
    ]
    work = mmcv_estimate.work
    assert work(files[1], 2) == 2 * work(files[1], 1)
    assert work(files[0], 2) == work(files[0], 1)
