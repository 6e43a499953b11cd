"""The cache never gives a wheel that does not fit, or is not whole."""

from pathlib import Path

import host
import mmcv_wheel
import pytest
from errors import SetupError

CPU = host.Ops('')
CUDA = host.Ops('', '13.0', ('9.0',), Path('cuda-13.0'))
SAME = dict(
    requirement='mmcv==2.1.0', torch='2.11.0+cu130', tag='cp311', ops=CPU
)


@pytest.mark.parametrize(
    'change',
    [
        dict(requirement='mmcv==2.1.1'),
        dict(torch='2.11.0'),
        dict(tag='cp312'),
        dict(ops=CUDA),
    ],
)
def test_key_tells_builds_apart(change):
    assert mmcv_wheel.key(**SAME) == mmcv_wheel.key(**SAME)
    assert mmcv_wheel.key(**SAME) != mmcv_wheel.key(**{**SAME, **change})


def test_key_tells_cuda_builds_apart():
    newer = host.Ops('', '13.1', ('9.0',))
    other_gpu = host.Ops('', '13.0', ('8.0',))
    keys = {
        mmcv_wheel.key(**{**SAME, 'ops': ops})
        for ops in (CPU, CUDA, newer, other_gpu)
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    ('function', 'other'),
    [
        ('compiler', lambda: 'c++-99'),
        ('platform.machine', lambda: 'riscv'),
        ('platform.libc_ver', lambda: ('glibc', '9.9')),
    ],
)
def test_key_tells_machines_apart(function, other, monkeypatch):
    here = mmcv_wheel.key(**SAME)
    owner = host if function == 'compiler' else mmcv_wheel.platform
    monkeypatch.setattr(owner, function.rpartition('.')[2], other)
    assert mmcv_wheel.key(**SAME) != here


def test_cpu_build_sees_no_gpu_whatever_the_user_has_set(monkeypatch):
    monkeypatch.setenv('FORCE_CUDA', '1')
    monkeypatch.setenv('MMCV_WITH_OPS', '0')
    env = mmcv_wheel.build_environment(Path('env/bin/python'), CPU)
    assert 'FORCE_CUDA' not in env
    assert env['CUDA_VISIBLE_DEVICES'] == ''
    assert env['MMCV_WITH_OPS'] == '1'
    assert env['PATH'].startswith('env/bin:')
    assert int(env['MAX_JOBS']) >= 1


def test_gpu_build_names_toolkit_and_architectures():
    env = mmcv_wheel.build_environment(Path('env/bin/python'), CUDA)
    assert env['FORCE_CUDA'] == '1'
    assert env['CUDA_HOME'] == 'cuda-13.0'
    assert env['TORCH_CUDA_ARCH_LIST'] == '9.0'


def fake_run(end):
    """A build that leaves a wheel and then ends as ``end`` says."""

    def run(command, *args, **kwargs):
        room = Path(command[command.index('--wheel-dir') + 1])
        (room / 'mmcv-2.1.0-cp311.whl').write_text('half')
        end()

    return run


def interrupt():
    raise KeyboardInterrupt


def fail():
    raise SetupError('no')


@pytest.mark.parametrize('end', [interrupt, fail])
def test_unfinished_build_is_never_taken(end, tmp_path, monkeypatch):
    monkeypatch.setattr(mmcv_wheel.progress, 'run', fake_run(end))
    folder = tmp_path / 'wheels' / 'key'
    with pytest.raises((KeyboardInterrupt, SetupError)):
        mmcv_wheel.build(Path('python'), 'mmcv==2.1.0', CPU, folder)
    assert mmcv_wheel.cached(folder) is None
    assert not list(folder.parent.iterdir())


def test_finished_build_is_kept_under_its_key(tmp_path, monkeypatch):
    monkeypatch.setattr(mmcv_wheel.progress, 'run', fake_run(lambda: None))
    folder = tmp_path / 'wheels' / 'key'
    wheel = mmcv_wheel.build(Path('python'), 'mmcv==2.1.0', CPU, folder)
    assert wheel == mmcv_wheel.cached(folder)
    assert wheel.parent == folder
    assert list(folder.parent.iterdir()) == [folder]


def test_ninja_lines_give_progress():
    assert mmcv_wheel.ninja_progress('  [25/100] c++ -MMD x.cpp\n') == (
        0.25,
        '25/100',
    )
    assert mmcv_wheel.ninja_progress('x [25/100]') is None
