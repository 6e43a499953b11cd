"""Which operators of mmcv are built on which machine."""

from pathlib import Path

import host
import pytest

TOOLKIT = {'13.0': Path('cuda-13.0')}


def test_toolkit_without_gpu_gives_cpu_operators():
    ops = host.choose_ops((), TOOLKIT, '13.0', usable=False)
    assert (ops.name, ops.cuda) == ('cpu', None)
    assert 'CPU' in ops.note


def test_gpu_and_matching_toolkit_give_gpu_operators():
    ops = host.choose_ops(('8.0', '9.0'), TOOLKIT, '13.0', usable=True)
    assert ops.name == 'cuda13.0-sm80-sm90'
    assert ops.toolkit == TOOLKIT['13.0']


@pytest.mark.parametrize('toolkits', [{}, {'12.4': Path('cuda-12.4')}])
def test_gpu_without_matching_toolkit_says_what_runs_where(toolkits):
    ops = host.choose_ops(('9.0',), toolkits, '13.0', usable=True)
    assert ops.name == 'cpu'
    assert 'pre-training runs on the GPU' in ops.note
    assert 'detection, on the CPU' in ops.note
    assert '\n' not in ops.note


def test_gpu_that_torch_cannot_use_counts_as_none():
    ops = host.choose_ops(('9.0',), TOOLKIT, '13.0', usable=False)
    assert ops.name == 'cpu'
    assert 'driver' in ops.note


@pytest.fixture
def fake_program(tmp_path, monkeypatch):
    """Put a shell script of a given name first on the path."""

    def make(name, script, folder=tmp_path / 'bin'):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'#!/bin/sh\n{script}\n')
        (folder / name).chmod(0o755)
        monkeypatch.setenv('PATH', f'{folder}:/usr/bin:/bin')

    return make


def test_capabilities_are_read_once_each(fake_program):
    fake_program('nvidia-smi', 'echo 9.0; echo 8.0; echo 9.0')
    assert host.gpu_capabilities() == ('8.0', '9.0')


def test_failing_driver_counts_as_no_gpu(fake_program):
    fake_program('nvidia-smi', 'echo no driver; exit 9')
    assert host.gpu_capabilities() == ()


def test_nvcc_without_headers_is_no_toolkit(
    fake_program, tmp_path, monkeypatch
):
    home = tmp_path / 'cuda'
    script = 'echo "Cuda compilation tools, release 99.1, V99.1.0"'
    fake_program('nvcc', script, home / 'bin')
    monkeypatch.delenv('CUDA_HOME', raising=False)
    assert '99.1' not in host.cuda_toolkits()
    (home / 'include').mkdir()
    (home / 'include' / 'cuda_runtime.h').touch()
    assert host.cuda_toolkits()['99.1'] == home


def test_compiler_that_cannot_compile_is_none(monkeypatch):
    assert host.compiles()
    monkeypatch.setenv('CXX', 'no-such-compiler')
    assert not host.compiles()
    monkeypatch.setenv('CXX', 'false')
    assert not host.compiles()


def test_jobs_are_bounded_by_cores_and_memory(monkeypatch, tmp_path):
    limit = tmp_path / 'memory.max'  # of a container
    limits = (tmp_path / 'none', limit)
    monkeypatch.setattr(host, 'MEMORY_LIMITS', limits, raising=False)
    monkeypatch.setattr(host.os, 'sched_getaffinity', lambda _: range(64))
    sizes = {'SC_PHYS_PAGES': 2_000_000, 'SC_PAGE_SIZE': 4096}
    monkeypatch.setattr(host.os, 'sysconf', sizes.get)
    assert host.jobs() == 3
    for text, jobs in (('max', 3), ('5000000000', 2), ('9' * 19, 3)):
        limit.write_text(f'{text}\n')
        assert host.jobs() == jobs
    monkeypatch.setattr(host.os, 'sched_getaffinity', lambda _: range(2))
    assert host.jobs() == 2
    sizes['SC_PHYS_PAGES'] = 100
    assert host.jobs() == 1
