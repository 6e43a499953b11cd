"""Runs of milliseconds a step that can be killed: pre-training, detection.

Each run writes down what it trains on, so that runs can be compared. It is no
test itself; as a script it forks, so that its many processes import once.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import time
from collections import defaultdict
from copy import deepcopy
from pathlib import Path

import cv2
import mmdet.datasets
import mmdet.models  # noqa: F401  once, ahead of the forks
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import HOOKS, MODELS
from torch import nn
from torch.nn import functional as F

from mmselfemd.engine.launch import build_runner

PRETRAINING = """
default_scope = 'mmselfemd'
model = dict(type='ToyPretraining', data_preprocessor=dict(
    type='mmpretrain.SelfSupDataPreprocessor',
    mean=[120.] * 3, std=[60.] * 3))
colour = dict(type='mmpretrain.ColorJitter', brightness=0.4, contrast=0.4)
train_dataloader = dict(
    batch_size=2, num_workers=0, drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='UnlabelledDataset', data_root='{data}', pipeline=[
            dict(type='LoadImage', backend_args=dict(backend='written_down')),
            dict(type='CutViews', views=[
                dict(size=12, photometric=[colour]),
                dict(size=12, photometric=[])]),
            dict(type='mmpretrain.PackInputs', meta_keys=['img_path'])]))
train_cfg = dict(type='ReproducibleEpochBasedTrainLoop', max_epochs=3)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=7),
    dict(type='MultiStepLR', milestones=[2], by_epoch=True)]
momentum_update = dict(type='MomentumUpdateHook')
"""

DETECTION = """
default_scope = 'mmdet'
model = dict(type='ToyDetection', data_preprocessor=dict(
    type='DetDataPreprocessor', mean=[120.] * 3, std=[60.] * 3))
train_dataloader = dict(
    batch_size=2, num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=dict(
        type='CocoDataset', ann_file='{data}/boxes.json',
        data_prefix=dict(img='{data}/'), pipeline=[
            dict(type='LoadImageFromFile',
                 backend_args=dict(backend='written_down')),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='RandomChoiceResize', keep_ratio=True,
                 scales=[(24, 16), (36, 24), (48, 32)]),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs', meta_keys=['img_path'])]))
train_cfg = dict(
    type='mmselfemd.ReproducibleIterBasedTrainLoop', max_iters=20)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=7),
    dict(type='MultiStepLR', milestones=[12], by_epoch=False)]
momentum_update = None
"""

COMMON = """
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9))
default_hooks = dict(
    checkpoint=dict(
        type='mmselfemd.SafeCheckpointHook', by_epoch=False, interval=1),
    bounded_history=dict(type='mmselfemd.BoundedHistoryHook'),
    momentum_update=momentum_update,
    curve=dict(type='CurveHook'))
env_cfg = dict(dist_cfg=dict(backend='gloo'))
randomness = dict(seed=3)
log_level = 'ERROR'
"""


@MODELS.register_module(force=True)
class ToyPretraining(BaseModel):
    """Draws two views together; batch norm, dropout and a key encoder."""

    def __init__(self, data_preprocessor: dict) -> None:
        super().__init__(data_preprocessor)
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3)
        )
        self.key = deepcopy(self.encoder).requires_grad_(False)

    def reset_key(self) -> None:
        self.key.load_state_dict(self.encoder.state_dict())

    @torch.no_grad()
    def update_key(self, momentum: float) -> None:
        for key, query in zip(
            self.key.parameters(), self.encoder.parameters(), strict=True
        ):
            key.lerp_(query, 1 - momentum)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        query, key = self.encoder(inputs[0]), self.key(inputs[1])
        # As `node_vectors` does: what a process has seen counts.
        scale = 1 + self.encoder[1].running_mean.mean()
        return dict(loss=F.mse_loss(query * scale, key))


@MODELS.register_module(force=True)
class ToyDetection(BaseModel):
    """Reads the mean box off an image; batch norm and dropout."""

    def __init__(self, data_preprocessor: dict) -> None:
        super().__init__(data_preprocessor)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3)
        )
        self.out = nn.Linear(4, 4)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        boxes = torch.stack(
            [s.gt_instances.bboxes.mean(0) for s in data_samples]
        )
        predicted = self.out(self.layers(inputs).mean((2, 3)))
        return dict(loss=F.mse_loss(predicted, boxes / 24))


class WrittenDownBackend(LocalBackend):
    """The local disk; what is read is written to a list."""

    def get(self, filepath) -> bytes:
        with open(os.environ['READS'], 'a') as file:
            file.write(f'{Path(filepath).name}\n')
        return super().get(filepath)


register_backend('written_down', WrittenDownBackend, force=True)


@HOOKS.register_module(force=True)
class CurveHook(Hook):
    """Writes down the loss and the images of each step, and the end."""

    # Before the checkpoint: a kill between the two would lose the record of a
    # step that is not made again.
    priority = 'BELOW_NORMAL'

    def after_train_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        inputs = data_batch['inputs']
        images = zip(*inputs, strict=True) if runner.epoch_based else inputs
        line = dict(
            iter=runner.iter,
            epoch=runner.epoch,
            batch_idx=batch_idx,
            loss=outputs['loss'].item().hex(),
            lr=runner.optim_wrapper.get_lr()['lr'][0].hex(),
            drawn=torch.rand(1).item().hex(),
            images=[
                (Path(sample.img_path).name, digest(image))
                for sample, image in zip(
                    data_batch['data_samples'], images, strict=True
                )
            ],
        )
        with open(f'{runner.work_dir}/curve_{get_rank()}', 'a') as file:
            file.write(json.dumps(line) + '\n')

    def after_train(self, runner) -> None:
        model = getattr(runner.model, 'module', runner.model)
        torch.save(model.state_dict(), f'{runner.work_dir}/final_{get_rank()}')


def digest(image) -> str:
    views = image if isinstance(image, tuple) else [image]
    content = b''.join(view.numpy().tobytes() for view in views)
    return hashlib.sha256(content).hexdigest()[:16]


def make_data(folder: Path) -> Path:
    """Thirteen images, wide and high, one of them broken; a box on each."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    images, boxes = [], []
    for number in range(13):
        height, width = (20, 28) if number % 3 else (28, 20)
        texture = generator.integers(0, 256, (height, width, 3), np.uint8)
        cv2.imwrite(str(folder / f'{number}.png'), texture)
        images.append(
            dict(
                id=number,
                file_name=f'{number}.png',
                height=height,
                width=width,
            )
        )
        boxes.append(
            dict(
                id=number,
                image_id=number,
                category_id=1,
                iscrowd=0,
                bbox=[number % 5, 2, 9, 12],
                area=108,
            )
        )
    # COCO's first category, so that mmdet's own list of classes fits.
    categories = [dict(id=1, name='person')]
    (folder / 'boxes.json').write_text(
        json.dumps(
            dict(images=images, annotations=boxes, categories=categories)
        )
    )
    (folder / 'broken.png').write_bytes(b'no image')
    return folder


def make_config(
    kind: str, data: Path, work_dir: Path, options: dict
) -> Config:
    text = dict(pretraining=PRETRAINING, detection=DETECTION)[kind] + COMMON
    cfg = Config.fromstring(text.replace('{data}', str(data)), '.py')
    if cfg.default_hooks.momentum_update is None:
        del cfg.default_hooks['momentum_update']
    cfg.work_dir = str(work_dir)
    cfg.merge_from_dict(options)
    return cfg


def train(cfg: Config, resume: bool) -> None:
    """Train in this process."""
    cfg.resume = resume
    os.environ['READS'] = f'{cfg.work_dir}/reads'
    runner = build_runner(cfg)
    runner.epoch_based = 'Epoch' in cfg.train_cfg.type
    runner.train()


def start(cfg: Config, resume: bool = False, world_size: int = 1) -> list[int]:
    """Fork the processes of a run; returns their ids."""
    cfg = deepcopy(cfg)
    if world_size > 1:
        cfg.launcher = 'pytorch'
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
    children = []
    for rank in range(world_size):
        child = os.fork()
        if child:
            children.append(child)
            continue
        if world_size > 1:
            os.environ.update(
                RANK=str(rank),
                LOCAL_RANK=str(rank),
                MASTER_PORT=str(port),
                WORLD_SIZE=str(world_size),
                MASTER_ADDR='127.0.0.1',
            )
        os.setpgid(0, 0)
        status = 1
        try:
            train(cfg, resume)
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    return children


def finish(children: list[int]) -> None:
    for child in children:
        _, status = os.waitpid(child, 0)
        if status:
            raise RuntimeError(f'a process of the run ended with {status}')


def kill(children: list[int]) -> bool:
    """Kill the processes and their workers; False if they were done."""
    alive = True
    for child in children:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if status:
                raise RuntimeError(f'ended with {status} before the kill')
            alive = False
            continue
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return alive


def run(*args, **kwargs) -> None:
    finish(start(*args, **kwargs))


def run_with_kills(cfg: Config, kills: int, steps: int, seed: int) -> int:
    """Kill a run at random moments, resume it each time, let it end."""
    moments = random.Random(seed)
    curve = Path(cfg.work_dir, 'curve_0')
    killed = 0
    for number in range(kills):
        children = start(cfg, resume=True)
        # After a share of the steps that are left, then anywhere in a step.
        target = steps * (number + 1) // (kills + 1)
        while last_step(curve) < target:
            time.sleep(0.005)
            if os.waitid(
                os.P_PID, children[0], os.WEXITED | os.WNOHANG | os.WNOWAIT
            ):
                raise RuntimeError('the run ended too early')
        time.sleep(moments.random() * 0.05)
        killed += kill(children)
    run(cfg, resume=True)
    return killed


def last_step(curve: Path) -> int:
    lines = curve.read_text().splitlines() if curve.exists() else []
    whole = [line for line in lines if line.endswith('}')]
    return json.loads(whole[-1])['iter'] if whole else -1


def read_curve(work_dir: Path, rank: int = 0) -> dict[int, list[dict]]:
    """Every record of each step, in order of time."""
    curve = defaultdict(list)
    for line in (work_dir / f'curve_{rank}').read_text().splitlines():
        record = json.loads(line)
        curve[record['iter']].append(record)
    return curve


if __name__ == '__main__':
    # Argument: a list of runs, one after the other.
    torch.set_num_threads(1)
    os.fsync = lambda file: None  # slow on a busy disk; no test cuts power
    for task in json.loads(sys.argv[1]):
        cfg = make_config(
            task['kind'],
            Path(task['data']),
            Path(task['work_dir']),
            task.get('options', {}),
        )
        if 'start' in task:  # only this checkpoint was left by a kill
            Path(cfg.work_dir).mkdir()
            shutil.copy(task['start'], cfg.work_dir)
        if 'kills' in task:
            killed = run_with_kills(cfg, **task['kills'])
            Path(cfg.work_dir, 'kills').write_text(str(killed))
        else:
            run(cfg, 'start' in task, task.get('world_size', 1))
