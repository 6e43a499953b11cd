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
    limit = tmp_path / 'memory.max'
    monkeypatch.setattr(machine, '_LIMITS', [limit, tmp_path / 'none'])
    limit.write_text('max\n')
    whole = find_machine().memory
    assert whole > 0
    limit.write_text(f'{2**28}\n')
    assert find_machine().memory == min(whole, 0.25)
    assert 'no GPU' in str(find_machine())
