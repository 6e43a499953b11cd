"""A model and data small enough for the tools to be run in seconds.

Configs import it with ``custom_imports``; it is no test itself.
"""

import json
from pathlib import Path

import mmcv.cnn  # noqa: F401  registers SyncBN
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS
from torch import distributed, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

CONFIG = """
custom_imports = dict(imports=['toy_project'], allow_failed_imports=False)
default_scope = 'mmselfemd'
model = dict(type='ToyModel', channels=4, norm_cfg=dict(type='SyncBN'))
train_dataloader = dict(
    batch_size=4, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='ToyDataset', size=16))
train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
val_dataloader = dict(
    batch_size=4, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ToyDataset', size=8))
val_cfg = dict()
val_evaluator = dict(type='ToyMetric')
test_dataloader = val_dataloader
test_cfg = dict()
test_evaluator = val_evaluator
default_hooks = dict(
    checkpoint=dict(type='mmselfemd.SafeCheckpointHook', interval=1),
    logger=dict(type='LoggerHook', interval=2),
    report=dict(type='ReportHook'))
auto_scale_lr = dict(enable=False, base_batch_size=16)
randomness = dict(seed=0)
"""


@MODELS.register_module(force=True)
class ToyModel(BaseModel):
    """Reads a brightness off an image."""

    def __init__(self, channels: int, norm_cfg: dict) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, 3)
        self.norm = MODELS.build(dict(norm_cfg, num_features=channels))
        self.out = nn.Linear(channels, 1)

    def forward(self, inputs, target, mode='tensor'):
        inputs, target = torch.stack(inputs), torch.stack(target)
        features = F.relu(self.norm(self.conv(inputs))).mean((2, 3))
        prediction = self.out(features).flatten()
        if mode == 'loss':
            return dict(loss=F.mse_loss(prediction, target))
        return [
            dict(prediction=p.item(), target=t.item())
            for p, t in zip(prediction, target, strict=True)
        ]


@DATASETS.register_module(force=True)
class ToyDataset(Dataset):
    """Noise around a brightness."""

    def __init__(self, size: int, data_root: str = '') -> None:
        generator = torch.Generator().manual_seed(size)
        self.target = torch.rand(size, generator=generator)
        noise = torch.rand(size, 1, 8, 8, generator=generator)
        self.images = self.target.view(-1, 1, 1, 1) + 0.1 * noise

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, index: int) -> dict:
        return dict(inputs=self.images[index], target=self.target[index])


@METRICS.register_module(force=True)
class ToyMetric(BaseMetric):
    """Mean absolute error."""

    def process(self, data_batch, data_samples) -> None:
        self.results += [
            abs(sample['prediction'] - sample['target'])
            for sample in data_samples
        ]

    def compute_metrics(self, results: list) -> dict:
        count = float(len(results))
        return dict(error=sum(results) / count, count=count)


@HOOKS.register_module(force=True)
class ReportHook(Hook):
    """Writes what a process trained with into its work directory."""

    def before_train(self, runner) -> None:
        self.start_epoch = runner.epoch

    def after_train(self, runner) -> None:
        model = getattr(runner.model, 'module', runner.model)
        group = distributed.is_initialized()
        report = dict(
            world_size=get_world_size(),
            backend=distributed.get_backend() if group else None,
            device_ids=getattr(runner.model, 'device_ids', None),
            norm=type(model.norm).__name__,
            optim_wrapper=type(runner.optim_wrapper).__name__,
            start_epoch=self.start_epoch,
            lr=runner.optim_wrapper.get_lr()['lr'],
            parameters=[p.flatten().tolist() for p in model.parameters()],
            running_mean=model.norm.running_mean.tolist(),
        )
        path = Path(runner.work_dir, f'report_{get_rank()}.json')
        path.write_text(json.dumps(report))
