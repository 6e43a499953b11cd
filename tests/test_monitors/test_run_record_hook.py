"""What a run leaves of what stands in no config."""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_engine'))
from toy_long_run import make_runner


def train(work_dir, **kwargs):
    runner = make_runner(
        work_dir,
        default_hooks=dict(record=dict(type='RunRecordHook')),
        **kwargs,
    )
    runner.train()
    return runner


def test_beside_the_log_and_in_the_checkpoint(tmp_path):
    runner = train(
        tmp_path, epochs=1, size=16, wrapper=dict(accumulative_counts=2)
    )
    expected = dict(
        processes=1,
        batch_size=4,
        accumulation=2,
        images=dict(train=16, val=None),
        seed=runner.seed,
        pretrained_backbone=None,
    )
    record = Path(runner.log_dir) / 'run.json'
    assert json.loads(record.read_text()) == expected
    last = Path((tmp_path / 'last_checkpoint').read_text())
    assert torch.load(last, weights_only=True)['meta']['run'] == expected


def test_the_loaded_backbone_is_recorded_and_outlives_a_resume(tmp_path):
    loaded = dict(checkpoint='a.pth', pretraining=dict(epoch=20))
    runner = make_runner(
        tmp_path,
        default_hooks=dict(record=dict(type='RunRecordHook')),
        epochs=1,
    )
    runner.message_hub.update_info('pretrained_backbone', loaded)
    runner.train()
    later = train(tmp_path, epochs=2, resume=True)
    record = json.loads((Path(later.log_dir) / 'run.json').read_text())
    assert record['pretrained_backbone'] == loaded
