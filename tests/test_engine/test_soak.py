"""Nothing grows with a run: 30,000 iterations of a tiny network.

As a program, ``test_soak.py WORK_DIR EPOCHS``, this file is that run, in a
process of its own, so that its memory is that of nothing else.
"""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel, BaseModule
from mmpretrain.structures import DataSample
from torch import nn
from torch.utils.data import Dataset

from mmselfemd.engine.launch import build_runner
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import BYOLHead
from mmselfemd.registry import DATASETS, HOOKS, METRICS, MODELS

ROOT = Path(__file__).resolve().parents[2]
EPOCH = 500  # iterations

CONFIG = f"""
_base_ = ['{ROOT}/configs/_base_/pretrain_runtime.py']
model = dict(type='TwoNumbers')
train_dataloader = dict(
    batch_size=2, num_workers=0, collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='Numbers', length={2 * EPOCH}))
train_cfg = dict(
    type='ReproducibleEpochBasedTrainLoop', max_epochs=1, val_interval=2)
val_dataloader = dict(
    batch_size=2, num_workers=0, collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='Numbers', length=16))
val_cfg = dict()
val_evaluator = dict(type='NumImages')
optim_wrapper = dict(
    type='FiniteOptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
param_scheduler = dict(
    type='CosineAnnealingLR', T_max=100, convert_to_iter_based=True)
default_hooks = dict(
    checkpoint=dict(interval=2, save_best='images', rule='greater'),
    memory=dict(type='MemoryHook'))
log_level = 'WARNING'
"""


@DATASETS.register_module()
class Numbers(Dataset):
    """Two views, each a number."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        view = torch.tensor([index / self.length, 1.0])
        return dict(inputs=[view, view.flip(0)], data_samples=DataSample())


class Difference(BYOLHead):
    """Real for the monitors, and nothing to compute."""

    def __init__(self) -> None:
        BaseModule.__init__(self)

    def forward(self, queries, keys) -> dict:
        loss = queries[0].vector.mean()
        return dict(
            loss_0=loss, **{f'loss_{n}': loss.detach() for n in range(1, 6)}
        )


@MODELS.register_module()
class TwoNumbers(BaseModel):
    """A query and its average, as SelfEMD has them for its hooks."""

    def __init__(self, data_preprocessor=None) -> None:
        super().__init__(data_preprocessor)
        self.query, self.key = nn.Linear(2, 2), nn.Linear(2, 2)
        self.head = Difference()

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'predict':
            return data_samples
        with torch.no_grad():
            key = self.key(inputs[1])
        query = self.query(inputs[0])
        views = [Embedding(None, query)], [Embedding(None, key)]
        return self.head(*views)

    def reset_key(self) -> None:
        self.key.load_state_dict(self.query.state_dict())

    @torch.no_grad()
    def update_key(self, momentum: float) -> None:
        self.key.weight.lerp_(self.query.weight, 1 - momentum)


@METRICS.register_module()
class NumImages(BaseMetric):
    def process(self, data_batch, data_samples) -> None:
        self.results += data_samples

    def compute_metrics(self, results) -> dict:
        return dict(images=len(results))


@HOOKS.register_module()
class MemoryHook(Hook):
    """Notes what the process takes, after each epoch."""

    priority = 'LOWEST'

    def after_train_epoch(self, runner) -> None:
        gc.collect()
        resident = int(Path('/proc/self/statm').read_text().split()[1])
        work_dir = Path(runner.work_dir)
        checkpoints = [p.stat().st_size for p in work_dir.glob('epoch_*.pth')]
        note = dict(
            resident=resident * os.sysconf('SC_PAGE_SIZE'),
            python_blocks=sys.getallocatedblocks(),
            largest_checkpoint=max(checkpoints, default=0),
            files=len(list(work_dir.rglob('*'))),
        )
        with open(work_dir / 'memory.jsonl', 'a') as file:
            file.write(json.dumps(note) + '\n')


def main() -> None:
    work_dir, epochs = sys.argv[1:]
    torch.set_num_threads(1)
    cfg = Config.fromstring(CONFIG, '.py')
    cfg.work_dir = work_dir
    cfg.train_cfg.max_epochs = int(epochs)
    build_runner(cfg).train()


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.skipif(sys.platform != 'linux', reason='/proc tells the memory')
def test_memory_and_files_are_flat(tmp_path):
    subprocess.run(
        [sys.executable, __file__, str(tmp_path), '60'],
        check=True,
        env=os.environ | dict(OMP_NUM_THREADS='1'),
    )
    lines = (tmp_path / 'memory.jsonl').read_text().splitlines()
    notes = [json.loads(line) for line in lines]
    assert len(notes) == 60
    settled, end = (
        {name: max(note[name] for note in part) for name in notes[0]}
        for part in (notes[20:30], notes[50:])
    )
    assert end['resident'] < 1.01 * settled['resident']
    assert end['python_blocks'] < 1.01 * settled['python_blocks']
    assert end['largest_checkpoint'] < settled['largest_checkpoint'] + 1000
    assert end['files'] == settled['files']


if __name__ == '__main__':
    main()
