"""The cache never gives a wheel that does not fit."""

import sys
import sysconfig
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


@pytest.mark.parametrize('name', ['CXX', 'CFLAGS', 'CXXFLAGS', 'LDFLAGS'])
def test_key_tells_compiler_flags_apart(name, monkeypatch):
    for flag in mmcv_wheel.FLAGS:
        monkeypatch.delenv(flag, raising=False)
    monkeypatch.setattr(mmcv_wheel.host, 'compiler', lambda: 'c++-12')
    plain = mmcv_wheel.key(**SAME)
    keys = {plain}
    for value in ('', 'c++ -O1', 'c++ -O2'):
        monkeypatch.setenv(name, value)
        keys.add(mmcv_wheel.key(**SAME))
    assert len(keys) == 3  # '' is as if unset
    assert all(' ' not in key for key in keys)


def test_key_tells_ways_of_building_apart(monkeypatch):
    here = mmcv_wheel.key(**SAME)
    monkeypatch.setattr(mmcv_wheel, 'WAY', 'another')
    assert mmcv_wheel.key(**SAME) != here


def test_debugging_information_is_left_out_and_optimisation_is_not(
    monkeypatch,
):
    """What setuptools makes of the environment, which replaces CFLAGS."""
    monkeypatch.setenv('CFLAGS', '-ffast')
    python = Path(sys.executable)
    env = mmcv_wheel.build_environment(python, CPU)
    own = sysconfig.get_config_var('CFLAGS')
    assert env['CFLAGS'] == f'{own} -ffast -g0'
    assert env['CXXFLAGS'] == f'{own} -g0'
    env = mmcv_wheel.build_environment(python, CPU, together=False)
    assert env['CFLAGS'] == '-ffast'
    assert 'CXXFLAGS' not in env


def test_cpu_build_sees_no_gpu_whatever_the_user_has_set(monkeypatch):
    monkeypatch.setenv('FORCE_CUDA', '1')
    monkeypatch.setenv('MMCV_WITH_OPS', '0')
    monkeypatch.setattr(mmcv_wheel, 'compiler_flags', lambda python: '-O3')
    env = mmcv_wheel.build_environment(Path('env/bin/python'), CPU)
    assert 'FORCE_CUDA' not in env
    assert env['CUDA_VISIBLE_DEVICES'] == ''
    assert env['MMCV_WITH_OPS'] == '1'
    assert env['PATH'].startswith('env/bin:')
    assert int(env['MAX_JOBS']) >= 1


def test_gpu_build_names_toolkit_and_architectures(monkeypatch):
    monkeypatch.setattr(mmcv_wheel, 'compiler_flags', lambda python: '-O3')
    env = mmcv_wheel.build_environment(Path('env/bin/python'), CUDA)
    assert env['FORCE_CUDA'] == '1'
    assert env['CUDA_HOME'] == 'cuda-13.0'
    assert env['TORCH_CUDA_ARCH_LIST'] == '9.0'


def test_a_torch_that_does_not_load_is_said(tmp_path):
    python = tmp_path / 'python'
    python.write_text('#!/bin/sh\necho no libgomp.so.1 >&2\nexit 1\n')
    python.chmod(0o755)
    with pytest.raises(SetupError, match='python fails: no libgomp.so.1'):
        mmcv_wheel.ask_torch(python)
