"""A checkpoint goes on wherever it was made: kept files of both stacks.

Each is the first epoch of tests/test_tools/toy_project.py, by tools/train.py.
"""

from pathlib import Path

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.engine import launch

HERE = Path(__file__).resolve().parent
FILES = sorted((HERE / 'stack_checkpoints').glob('*.pth'))


@pytest.fixture
def train(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(HERE.parent / 'test_tools'))
    import toy_project

    config = tmp_path / 'toy.py'
    config.write_text(toy_project.CONFIG)

    def train(name, resume=None):
        model = launch.train(str(config), str(tmp_path / name), resume=resume)
        return model.state_dict()

    return train


def test_there_is_one_of_each_stack():
    assert [file.stem for file in FILES] == ['onedl', 'openmmlab']
    made_by = [
        torch.load(file, weights_only=True)['meta']['mmengine_version']
        for file in FILES
    ]
    assert made_by[0] > '0.10.1' and made_by[0] != made_by[1]


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_it_is_resumed_as_if_made_here(train, tmp_path, file):
    straight = train('straight')
    first = torch.load(tmp_path / 'straight/epoch_1.pth', weights_only=True)
    kept = CheckpointLoader.load_checkpoint(str(file), 'cpu')
    assert kept['meta']['epoch'] == 1
    assert kept['optimizer']['state'] and kept['message_hub']
    for name, value in first['state_dict'].items():
        torch.testing.assert_close(kept['state_dict'][name], value)
    resumed = train('resumed', str(file))
    assert not (tmp_path / 'resumed' / 'epoch_1.pth').exists()
    for name, value in straight.items():
        torch.testing.assert_close(resumed[name], value)
        if name.endswith('weight'):
            assert not torch.equal(value, kept['state_dict'][name])
