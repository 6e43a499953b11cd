"""A build in a small source tree, by ninja and the compiler themselves."""

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import fake_mmcv
import host
import mmcv_build
import mmcv_estimate
import mmcv_units
import mmcv_wheel
import pytest
from errors import SetupError

CPU = host.Ops('')
# Two that go together, and three that are in units of their own, as in mmcv.
FILES = {
    'pybind': 'int nms(); int main_of_all() { return nms(); }\n',
    'nms': 'int nms() { return 1; }\n',
    'roi_align': 'int roi_align() { return 2; }\n',
    'cpu/nms': 'int nms_cpu() { return 3; }\n',
    'cpu/rotated_feature_align': 'int rotated() { return 4; }\n',
}
SAME_NAME = (
    'static int PreCalc() {{ return 5; }}\nint {}() {{ return PreCalc(); }}\n'
)


class Mmcv:
    """mmcv's archive, and a folder of the cache for its wheel."""

    def __init__(self, room):
        self.room = room
        self.folder = room / 'wheels' / 'mmcv-0.0.1_key'
        self.downloads = 0
        self.publish(FILES)

    def publish(self, files):
        source = self.room / 'mmcv-0.0.1'
        fake_mmcv.write_source(source, files)
        with tarfile.open(self.room / 'mmcv-0.0.1.tar.gz', 'w:gz') as file:
            file.add(source, source.name)

    def download(self, python, requirement, out):
        self.downloads += 1
        return ['cp', self.room / 'mmcv-0.0.1.tar.gz', out]

    def build(self, **kwargs):
        python = Path(sys.executable)
        return mmcv_build.build(
            python, 'mmcv==0.0.1', CPU, self.folder, **kwargs
        )

    @property
    def source(self):
        return self.folder / mmcv_build.UNFINISHED / 'source'

    def compiled(self):
        """Names of what the last run of the build has compiled."""
        log = self.folder.with_name(f'{self.folder.name}.log').read_text()
        return re.findall(r'-c \S+/(\w+/\w+)\.cpp -o', log)


@pytest.fixture
def mmcv(tmp_path, monkeypatch):
    mmcv = Mmcv(tmp_path)
    monkeypatch.setattr(mmcv_build, 'download_command', mmcv.download)
    monkeypatch.setattr(
        mmcv_build,
        'wheel_command',
        lambda python, source, out: [python, fake_mmcv.__file__, source, out],
    )
    return mmcv


def test_wheel_is_built_of_units_and_is_all_that_stays(mmcv):
    wheel = mmcv.build()
    assert wheel == mmcv_wheel.cached(mmcv.folder)
    assert list(mmcv.folder.iterdir()) == [wheel]
    assert mmcv.compiled() == [
        f'pytorch/amalgamation_{number:02d}' for number in (1, 2, 3, 4)
    ]


def test_the_other_way_compiles_each_file_by_itself(mmcv):
    mmcv.build(together=False)
    assert sorted(mmcv.compiled()) == sorted(
        name if '/' in name else f'pytorch/{name}' for name in FILES
    )


def test_wheel_that_is_there_is_not_built_again(mmcv):
    mmcv.build()
    mmcv.build()
    assert mmcv.downloads == 1


@pytest.mark.parametrize('halvings', [0, 4])
def test_files_that_do_not_go_together_are_compiled_apart(
    mmcv, capsys, monkeypatch, halvings
):
    monkeypatch.setattr(mmcv_build, 'HALVINGS', halvings)
    clashing = {name: SAME_NAME.format(name) for name in ('new_b', 'new_d')}
    fine = {name: f'int {name}();\n' for name in ('new_a', 'new_c')}
    mmcv.publish(clashing | fine)
    seen = []
    remove = shutil.rmtree

    def look(room, **kwargs):
        if Path(room).name == mmcv_build.UNFINISHED:
            seen.extend(map(mmcv_units.members, mmcv_units.units(mmcv.source)))
        remove(room, **kwargs)

    monkeypatch.setattr(mmcv_build.shutil, 'rmtree', look)
    assert mmcv.build().exists()
    said = capsys.readouterr().out
    assert 'of its files do not compile together' in said
    assert ('one at a time' in said) == (halvings == 0)
    (with_it,) = [unit for unit in seen if 'new_b' in unit]
    assert 'new_d' not in with_it
    # What has nothing to do with it stays as it was.
    assert {('pybind',), ('cpu/nms',)} <= set(map(tuple, seen))


def test_file_that_does_not_compile_at_all_stops_the_build(mmcv):
    mmcv.publish({'wrong': 'no C++\n'})
    with pytest.raises(SetupError, match='wrong.cpp.inc'):
        mmcv.build()
    assert mmcv_wheel.cached(mmcv.folder) is None
    (mmcv.source / fake_mmcv.FOLDER / 'wrong.cpp.inc').write_text('\n')
    mmcv.build()
    # All others were done, the half without it included.
    assert mmcv.compiled() == ['pytorch/amalgamation_05']


def test_interrupted_build_goes_on_where_it_was(mmcv, monkeypatch):
    def interrupt(self, line):
        if line.startswith('[2/4]'):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mmcv_estimate.BuildProgress, '__call__', interrupt)
        with pytest.raises(KeyboardInterrupt):
            mmcv.build()
    assert mmcv_wheel.cached(mmcv.folder) is None
    done = mmcv.compiled()
    assert len(done) >= 2
    assert mmcv.build().exists()
    assert mmcv.downloads == 1
    assert not set(mmcv.compiled()) & set(done[:2])
    assert len(set(done + mmcv.compiled())) == 4


def test_interrupted_download_begins_again(mmcv, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mmcv_units, 'write_unit', interrupt)
        with pytest.raises(KeyboardInterrupt):
            mmcv.build()
    assert not mmcv.source.exists()
    assert mmcv.build().exists()


def test_another_set_up_waits_and_takes_the_wheel(mmcv, capsys):
    mmcv.folder.mkdir(parents=True)
    code = (
        'import fcntl, os, sys, time; '
        'fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); '
        'print("locked", flush=True); time.sleep(0.5); '
        'open(sys.argv[1] + "/mmcv-0.0.1-other.whl", "w")'
    )
    other = subprocess.Popen(
        [sys.executable, '-c', code, mmcv.folder], stdout=subprocess.PIPE
    )
    other.stdout.readline()
    assert mmcv.build().name == 'mmcv-0.0.1-other.whl'
    assert 'waiting for it' in capsys.readouterr().out
    assert mmcv.downloads == 0
    other.communicate()


def test_real_commands_name_what_they_are_given(tmp_path):
    python, source = Path('env/bin/python'), tmp_path / 'source'
    command = mmcv_build.wheel_command(python, source, tmp_path)
    assert command[0] == python and command[-1] == source
    # Without it, objects of a build that fails are removed by old pips.
    assert '--use-pep517' in command
