"""What is found on a machine."""

from types import SimpleNamespace

import pytest

from mmselfemd.apis import machine
from mmselfemd.apis.machine import Machine, find_machine


@pytest.fixture
def two_gpus(monkeypatch):
    """Of 24 and 11 GiB."""
    monkeypatch.setattr(machine, 'get_device', lambda: 'cuda')
    monkeypatch.setattr(machine.torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(
        machine.torch.cuda,
        'get_device_properties',
        lambda number: SimpleNamespace(total_memory=[24, 11][number] * 2**30),
    )


def test_the_smallest_gpu_counts(two_gpus, monkeypatch):
    monkeypatch.setattr(machine, 'has_cuda_operators', lambda: True)
    found = find_machine(for_detector=True)
    assert found == Machine(2, 11, 1)
    assert str(found) == '2 GPUs of 11 GiB, 1 core'


def test_a_detector_without_gpu_operators_is_for_the_cpu(
    two_gpus, monkeypatch
):
    monkeypatch.setattr(machine, 'has_cuda_operators', lambda: False)
    assert find_machine().num_gpus == 2
    found = find_machine(for_detector=True)
    assert found.num_gpus == 0
    assert 'no GPU' not in str(found)
    assert 'not used' in str(found) and 'mmcv was built' in str(found)


def test_a_containers_limit_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, 'get_device', lambda: 'cpu')
    monkeypatch.setattr(machine, '_GROUPS', tmp_path)
    monkeypatch.setattr(machine.os, 'sched_getaffinity', lambda _: range(8))
    limit = tmp_path / 'memory.max'
    limit.write_text('max\n')
    (tmp_path / 'cpu.max').write_text('max 100000\n')
    whole = find_machine().memory
    assert whole > 0
    assert find_machine().num_cores == 8
    limit.write_text(f'{2**28}\n')
    (tmp_path / 'cpu.max').write_text('350000 100000\n')
    assert find_machine().memory == min(whole, 0.25)
    assert find_machine().num_cores == 4
    assert 'no GPU' in str(find_machine())


@pytest.mark.parametrize('version', [1, 2])
def test_a_jobs_limit_around_the_own_group_counts(
    tmp_path, monkeypatch, version
):
    monkeypatch.setattr(machine, 'get_device', lambda: 'cpu')
    monkeypatch.setattr(machine, '_GROUPS', tmp_path)
    monkeypatch.setattr(machine, '_OWN_GROUP', tmp_path / 'own')
    monkeypatch.setattr(machine.os, 'sched_getaffinity', lambda _: range(8))
    lines = {
        1: [
            '5:name=systemd:/a b',
            '4:memory:/slurm/job_7/step_0',
            '3:cpu,cpuacct:/slurm/job_7',
        ],
        2: ['0::/slurm/job_7/step_0'],
    }[version]
    (tmp_path / 'own').write_text('\n'.join(lines) + '\n')
    files = {
        1: {
            'memory/slurm/job_7/memory.limit_in_bytes': 2**28,
            'memory/memory.limit_in_bytes': 2**63 - 4096,
            'cpu/slurm/job_7/cpu.cfs_quota_us': 200_000,
            'cpu/slurm/job_7/cpu.cfs_period_us': 100_000,
            'cpu/cpu.cfs_quota_us': -1,
            'cpu/cpu.cfs_period_us': 100_000,
        },
        2: {
            'slurm/job_7/memory.max': 2**28,
            'slurm/job_7/step_0/memory.max': 'max',
            'slurm/job_7/cpu.max': '200000 100000',
            'slurm/other/cpu.max': '100000 100000',
        },
    }[version]
    for name, value in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f'{value}\n')
    found = find_machine()
    assert found.memory == 0.25
    assert found.num_cores == 2
