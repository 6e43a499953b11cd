"""A query, its key, and data that misbehave where they are told to.

The tests of long runs import it, and run it as a program in processes of
their own: ``toy_long_run.py WORK_DIR`` with the variables of a launcher; it
is no test itself.
"""

import os
import signal
import sys
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset

import mmselfemd.engine  # noqa: F401  registers hooks and wrappers
from mmselfemd.engine.cpu_distributed import CPUDistributedRunner


class Numbers(Dataset):
    """Pairs of numbers, some of which are not finite.

    ``bad`` says what is wrong with an image: 'loss' makes the loss NaN,
    'gradient' the gradient alone, 'huge' overflows float32 backwards.
    """

    def __init__(self, size: int = 64, bad: dict | None = None) -> None:
        generator = torch.Generator().manual_seed(1)
        self.values = torch.rand(size, 3, generator=generator)
        self.values[:, 2] = 0
        for index, what in (bad or {}).items():
            if what == 'loss':
                self.values[index, 0] = float('nan')
            else:
                self.values[index, 2] = dict(gradient=1, huge=2)[what]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> dict:
        sample = BaseDataElement(metainfo=dict(img_path=f'{index}.jpg'))
        return dict(inputs=self.values[index], data_samples=sample)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


class Pair(BaseModel):
    """A query and its average, both with batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = network(), network().requires_grad_(False)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        inputs = torch.stack(inputs)
        values, fault = inputs[:, :2], inputs[:, 2]
        with torch.no_grad():
            key = self.key(values)
        query = self.query(values)
        loss = F.mse_loss(query, key + values.sum(1, keepdim=True))
        # 0, with the gradient 0 x infinity.
        zero = query.sum() - query.sum().detach()
        if (fault == 1).any():
            loss = loss + zero.abs().sqrt()
        if (fault == 2).any():  # finite by itself, infinite when scaled up
            loss = loss + 1e36 * zero
        return dict(loss=loss)

    def reset_key(self) -> None:
        self.key.load_state_dict(self.query.state_dict())

    @torch.no_grad()
    def update_key(self, momentum: float) -> None:
        torch._foreach_lerp_(
            [*self.key.parameters()], [*self.query.parameters()], 1 - momentum
        )


class Recorder(Hook):
    """Writes down the whole state after every iteration, first and last."""

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.states, self.losses = [], []

    def before_train(self, runner) -> None:
        self.model = getattr(runner.model, 'module', runner.model)
        self.note(runner)

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ) -> None:
        self.losses.append(outputs['loss'].item())
        self.note(runner)

    def note(self, runner) -> None:
        state = {k: v.clone() for k, v in self.model.state_dict().items()}
        optimizer = runner.optim_wrapper.optimizer
        for index, known in enumerate(optimizer.state.values()):
            if known.get('momentum_buffer') is not None:
                state[f'momentum {index}'] = known['momentum_buffer'].clone()
        self.states.append(state)


class SignalMyself(Hook):
    """Receives a signal in the middle of an iteration."""

    priority = 'VERY_HIGH'

    def __init__(self, iteration: int, number=signal.SIGTERM) -> None:
        self.iteration, self.number = iteration, number

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.iteration:
            os.kill(os.getpid(), self.number)


def make_runner(
    work_dir: Path,
    iterations: int = 6,
    epochs: int | None = None,
    loop: str = 'EpochBasedTrainLoop',
    size: int = 64,
    bad: dict | None = None,
    wrapper: dict | None = None,
    hooks: tuple = (),
    default_hooks: dict | None = None,
    checkpoint: dict | None = None,
    train_cfg: dict | None = None,
    model: BaseModel | None = None,
    runner_class: type[Runner] = Runner,
    **kwargs,
) -> Runner:
    torch.manual_seed(0)
    by_epoch = epochs is not None
    length = (
        dict(type=loop, max_epochs=epochs)
        if by_epoch
        else dict(type=loop.replace('Epoch', 'Iter'), max_iters=iterations)
    )
    return runner_class(
        model=model or Pair(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=Numbers(size, bad),
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=length | (train_cfg or {}),
        optim_wrapper=dict(
            type='FiniteOptimWrapper',
            optimizer=dict(type='SGD', lr=0.05, momentum=0.9),
        )
        | (wrapper or {}),
        default_hooks=dict(
            checkpoint=dict(
                type='SafeCheckpointHook', by_epoch=by_epoch, interval=2
            )
            | (checkpoint or {}),
            momentum_update=dict(type='MomentumUpdateHook', base_momentum=0.5),
        )
        | (default_hooks or {}),
        custom_hooks=list(hooks),
        default_scope='mmselfemd',
        experiment_name=f'{work_dir.name}-{os.urandom(4).hex()}',
        log_level='WARNING',
        **kwargs,
    )


def main() -> None:
    """Two processes: image 9, the second's, is NaN; it alone is signalled."""
    rank = int(os.environ['RANK'])
    work_dir = Path(sys.argv[1])
    recorder = Recorder()
    runner = make_runner(
        work_dir,
        iterations=16,
        size=256,
        bad={9: 'loss'},  # of iteration 1, 8 images each
        hooks=[recorder] + [SignalMyself(4)] * rank,
        default_hooks=dict(preemption=dict(type='PreemptionHook', interval=3)),
        runner_class=CPUDistributedRunner,
        launcher='pytorch',
        env_cfg=dict(dist_cfg=dict(backend='gloo')),
    )
    try:
        runner.train()
    finally:
        torch.save(recorder.states, work_dir / f'states_{rank}.pth')


if __name__ == '__main__':
    main()
