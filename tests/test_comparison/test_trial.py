"""What runs are estimated to take, by trials of a few iterations."""

import json

import pytest
from mmengine.config import Config

from mmselfemd.comparison import trial
from mmselfemd.comparison.configs import set_intervals

START, STEP, IMAGE, NUM_VAL, NUM_TRAIN, BATCH = 10.0, 2.0, 0.1, 200, 96, 8


@pytest.fixture
def of_known_seconds(monkeypatch):
    """Processes whose seconds are known, in place of those of the trials."""
    passes = []

    def run_tasks(tasks, jobs, devices, report):
        walls = {}
        for task in tasks:
            config = task.log.parent.with_suffix('.py')
            cfg = Config.fromfile(config)
            steps = [dict(loss=1.0, time=STEP)] * cfg.train_cfg.max_iters
            images = [dict(time=IMAGE * BATCH)] * bool(cfg.val_dataloader)
            log = task.log.parent / '20300101' / 'vis_data' / 'scalars.json'
            log.parent.mkdir(parents=True)
            log.write_text('\n'.join(map(json.dumps, steps + images)))
            walls[task.name] = START + STEP * len(steps)
            if cfg.val_dataloader:
                hook = cfg.default_hooks.get('precise_bn')
                precise = trial._FORWARD * STEP * NUM_TRAIN / BATCH
                passes.append(precise if hook else 0)
                tried = cfg.val_dataloader.dataset.indices
                walls[task.name] += passes[-1] + IMAGE * tried
        return walls

    monkeypatch.setattr(trial, 'run_tasks', run_tasks)
    return passes


@pytest.mark.parametrize('precise', [True, False])
def test_each_evaluation_is_counted_once(precise, of_known_seconds, tmp_path):
    dataset = dict(type='CocoDataset', ann_file='a.json')
    cfg = Config(
        dict(
            default_hooks=dict(checkpoint=dict(), logger=dict()),
            train_dataloader=dict(batch_size=BATCH, dataset=dataset),
            val_dataloader=dict(batch_size=BATCH, dataset=dataset),
            train_cfg=dict(max_iters=500),
            param_scheduler=[],
        )
    )
    if precise:
        cfg.default_hooks.precise_bn = dict(num_images=8192)
    set_intervals(cfg, 4)
    seconds = trial.measure(
        dict(detector=(cfg, NUM_TRAIN)), NUM_VAL, 4, tmp_path, 1, ()
    )['detector']
    (once,) = of_known_seconds
    assert bool(once) == precise
    whole = START + 500 * STEP + 4 * (once + NUM_VAL * IMAGE)
    assert seconds.of(500) == pytest.approx(whole)
