"""SafeCheckpointHook: resume, refusal, and kills, with a real Runner."""

import errno
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from forked_scripts import run_script
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

import mmselfemd.engine  # noqa: F401  registers the hooks
from mmselfemd.atomic_file import INCOMPLETE
from mmselfemd.engine.finite_state import NonFiniteCheckpointError
from mmselfemd.engine.hooks import SafeCheckpointHook
from mmselfemd.errors import UserError, UserValueError
from mmselfemd.zoo import UnsafeCheckpointError
from mmselfemd.zoo.saving import NotWrittenError


class Points(Dataset):
    """Fixed pairs (x, 2 x), with the metainfo of a detection data set."""

    metainfo = dict(classes=('a', 'b'), palette=[(0, 1, 2), (3, 4, 5)])

    def __len__(self) -> int:
        return 64  # one epoch: mmengine sleeps two seconds between epochs

    def __getitem__(self, index: int) -> tuple:
        x = torch.tensor([index / 64])
        return x, 2 * x


class Line(BaseModel):
    """y = a x + b behind a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))

    def forward(self, x, y, mode='tensor'):
        error = self.layers(x) - y
        return dict(loss=error.square().mean()) if mode == 'loss' else [error]


class Scripted(BaseMetric):
    """An evaluation whose scores are known beforehand."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = scores

    def process(self, data_batch, data_samples) -> None:
        self.results.append(0)

    def compute_metrics(self, results) -> dict:
        return dict(acc=np.float64(self.scores.pop(0)))


class Recorder(Hook):
    """Writes down what the optimiser is about to do in every iteration."""

    def __init__(self) -> None:
        self.steps: list[tuple] = []

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ) -> None:
        buffers = [
            state['momentum_buffer'].clone()
            for state in runner.optim_wrapper.optimizer.state.values()
        ]
        self.steps.append(
            (
                runner.iter,
                runner.optim_wrapper.get_lr()['lr'][0],
                outputs['loss'].item(),
                buffers,
            )
        )


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """A flush takes seconds on a busy disk, and no test cuts the power."""
    monkeypatch.setattr(os, 'fsync', lambda file: None)


def make_runner(
    work_dir: Path,
    iterations: int = 6,
    scores=None,
    val_interval: int = 2,
    load_from=None,
    resume=False,
    custom_hooks=(),
    **checkpoint,
) -> Runner:
    torch.manual_seed(0)
    loader = dict(
        dataset=Points(),
        batch_size=4,
        num_workers=0,
        collate_fn=dict(type='default_collate'),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    checkpoint = {**dict(interval=2, by_epoch=False), **checkpoint}
    validation = (
        dict()
        if scores is None
        else dict(
            val_dataloader=loader,
            val_cfg=dict(),
            val_evaluator=[Scripted(list(scores))],
        )
    )
    return Runner(
        model=Line(),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(
            by_epoch=False, max_iters=iterations, val_interval=val_interval
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=3),
            dict(
                type='CosineAnnealingLR',
                T_max=9,
                by_epoch=False,
                begin=3,
                end=12,
            ),
        ],
        default_hooks=dict(
            checkpoint=dict(type='mmselfemd.SafeCheckpointHook', **checkpoint)
        ),
        custom_hooks=list(custom_hooks),
        load_from=load_from,
        resume=resume,
        log_level='WARNING',
        experiment_name=f'{work_dir.name}-{os.urandom(4).hex()}',
        **validation,
    )


def read(path: Path) -> dict:
    """Open a file as a stranger does: weights only, nothing allowed."""
    allowed = torch.serialization.get_safe_globals()
    assert all(known.__module__.startswith('torch.') for known in allowed)
    return torch.load(path, weights_only=True)


def names(folder: Path, pattern: str = '*.pth') -> set[str]:
    return {path.name for path in folder.glob(pattern)}


# ---- What is saved, and what goes on after a resume.


def test_resume_continues_as_if_never_interrupted(tmp_path):
    whole, second = Recorder(), Recorder()
    make_runner(tmp_path / 'a', 12, custom_hooks=[whole]).train()
    make_runner(tmp_path / 'b', 6).train()
    runner = make_runner(
        tmp_path / 'b', 12, resume=True, custom_hooks=[second]
    )
    runner.train()

    assert [step[0] for step in second.steps] == list(range(6, 12))
    for (_, lr, loss, buffers), (_, lr2, loss2, buffers2) in zip(
        whole.steps[6:], second.steps, strict=True
    ):
        assert lr2 == pytest.approx(lr, rel=1e-12)
        assert loss2 == pytest.approx(loss, rel=1e-6)
        for buffer, buffer2 in zip(buffers, buffers2, strict=True):
            torch.testing.assert_close(buffer2, buffer)
    history, counts = runner.message_hub.get_scalar('train/loss').data
    assert isinstance(
        runner.message_hub.get_scalar('train/loss'), HistoryBuffer
    )
    np.testing.assert_allclose(
        history, [step[2] for step in whole.steps], rtol=1e-6
    )
    assert len(counts) == 12


def test_file_is_plain_whatever_the_message_hub_holds(tmp_path):

    class Clutter(Hook):
        def before_train(self, runner) -> None:
            runner.message_hub.update_info_dict(
                dict(
                    scalar=np.float32(1.5),
                    array=np.arange(3),
                    words=np.array(['a', 'b']),
                    path=Path('x') / 'y',
                    nested=[dict(flag=np.bool_(True))],
                    function=len,
                )
            )

    make_runner(tmp_path, 2, custom_hooks=[Clutter()]).train()
    checkpoint = read(tmp_path / 'iter_2.pth')
    info = checkpoint['message_hub']['runtime_info']
    assert info['scalar'] == 1.5 and type(info['scalar']) is float
    assert info['array'].tolist() == [0, 1, 2]
    assert info['words'] == ['a', 'b']
    assert info['path'] == os.path.join('x', 'y')
    assert info['nested'] == [dict(flag=True)]
    assert 'function' not in info
    assert checkpoint['meta']['dataset_meta'] == Points.metainfo
    assert checkpoint['state_dict']._metadata['layers.0'] == dict(version=2)


def test_file_resumes_in_plain_mmengine(tmp_path):
    """A process without this package goes on from the file."""
    make_runner(tmp_path, 4).train()
    script = textwrap.dedent("""
        import sys
        sys.modules['mmselfemd'] = None  # any import of it raises
        import torch
        from mmengine.model import BaseModel
        from mmengine.runner import Runner
        from torch import nn

        class Line(BaseModel):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
            def forward(self, x, y, mode='tensor'):
                return dict(loss=(self.layers(x) - y).square().mean())

        runner = Runner(
            model=Line(), work_dir=sys.argv[1], resume=True,
            train_dataloader=dict(
                dataset=[(torch.ones(1), torch.ones(1))] * 64, batch_size=4,
                collate_fn=dict(type='default_collate'),
                sampler=dict(type='DefaultSampler')),
            train_cfg=dict(by_epoch=False, max_iters=6),
            param_scheduler=[], optim_wrapper=dict(
                optimizer=dict(type='SGD', lr=0.1, momentum=0.9)))
        runner.train()
        print('RESUMED TO', runner.iter)
        """)
    done = subprocess.run(
        [sys.executable, '-c', script, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert 'resumed epoch: 0, iter: 4' in done.stdout + done.stderr
    assert 'RESUMED TO 6' in done.stdout, done.stderr


# ---- What would run code.


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


@pytest.mark.parametrize('resume', [False, True])
def test_checkpoint_with_code_is_refused(tmp_path, resume):
    make_runner(tmp_path / 'run', 2).train()
    checkpoint = read(tmp_path / 'run' / 'iter_2.pth')
    checkpoint['meta']['extra'] = Bomb(tmp_path / 'exploded')
    torch.save(checkpoint, tmp_path / 'bomb.pth')
    runner = make_runner(
        tmp_path / 'run',
        4,
        load_from=str(tmp_path / 'bomb.pth'),
        resume=resume,
    )
    with pytest.raises(UnsafeCheckpointError, match='bomb.pth is refused'):
        runner.train()
    assert not (tmp_path / 'exploded').exists()


def test_meta_config_is_not_executed(tmp_path):
    make_runner(tmp_path, 2).train()
    checkpoint = read(tmp_path / 'iter_2.pth')
    exploded = tmp_path / 'exploded'
    checkpoint['meta']['config'] = f'open({str(exploded)!r}, "w").close()\n'
    torch.save(checkpoint, tmp_path / 'iter_2.pth')
    runner = make_runner(tmp_path, 4, resume=True)
    runner.train()
    assert runner.iter == 4
    assert not exploded.exists()
    # Without the hook the same file is executed, so the test can fail.
    plain = make_runner(
        tmp_path / 'plain',
        4,
        resume=True,
        load_from=str(tmp_path / 'iter_2.pth'),
    )
    plain._hooks = [
        hook
        for hook in plain._hooks
        if not isinstance(hook, SafeCheckpointHook)
    ]
    plain.train()
    assert exploded.exists()


def test_bare_state_dict_loads_but_does_not_resume(tmp_path):
    weights = {
        name: torch.full_like(value, 3)
        for name, value in Line().state_dict().items()
    }
    torch.save(weights, tmp_path / 'bare.pth')
    arguments = dict(load_from=str(tmp_path / 'bare.pth'))
    runner = make_runner(tmp_path / 'load', 2, **arguments)
    runner.load_or_resume()
    assert all(
        (value == 3).all() for value in runner.model.state_dict().values()
    )
    with pytest.raises(ValueError, match='bare.pth.*no training state'):
        make_runner(tmp_path / 'resume', 2, resume=True, **arguments).train()


def resize_momentum(checkpoint: dict) -> None:
    for state in checkpoint['optimizer']['state'].values():
        state['momentum_buffer'] = torch.zeros(7)


@pytest.mark.parametrize(
    ('spoil', 'part'),
    [
        (lambda c: c['meta'].pop('epoch'), 'meta.epoch'),
        (lambda c: c['meta'].update(iter='2'), 'meta.iter'),
        (lambda c: c.update(message_hub=[1]), 'message_hub'),
        (lambda c: c.update(message_hub={}), 'message_hub'),
        (
            lambda c: c['message_hub']['log_scalars'].update(
                loss=dict(log_history=[1.0])
            ),
            'message_hub',
        ),
        (lambda c: c.pop('optimizer'), 'optimizer'),
        (lambda c: c.update(optimizer=3), 'optimizer'),
        (lambda c: c['optimizer']['param_groups'].pop(), 'optimizer'),
        (resize_momentum, 'optimizer'),
        (lambda c: c.pop('param_schedulers'), 'param_schedulers'),
    ],
)
def test_a_broken_training_state_is_named(tmp_path, spoil, part):
    make_runner(tmp_path, 2).train()
    path = tmp_path / 'iter_2.pth'
    checkpoint = read(path)
    spoil(checkpoint)
    torch.save(checkpoint, path)
    with pytest.raises(UserError, match=f'iter_2.pth.* its {part} is missing'):
        make_runner(tmp_path, 4, resume=True).train()
    # Its weights are whole.
    make_runner(tmp_path / 'new', 2, load_from=str(path)).train()


@pytest.mark.parametrize('iterations', [2, 4])
def test_a_run_with_nothing_left_says_so(tmp_path, logged, iterations):
    make_runner(tmp_path, 4).train()
    logged.clear()
    make_runner(tmp_path, iterations, resume=True).train()
    (line,) = [line for line in logged if 'Nothing is left' in line]
    assert f'max_iters={iterations}, and 4 are done' in line
    assert 'train_cfg.max_iters=N' in line
    logged.clear()
    make_runner(tmp_path, 6, resume=True).train()
    assert not [line for line in logged if 'Nothing is left' in line]


# ---- Whole files, whenever the process dies.


def interrupt_second_save(monkeypatch, folder: Path, when: str) -> None:
    """Make the save of iteration 4 raise at one moment of it."""
    real_replace, real_save = os.replace, torch.save

    def save(checkpoint, file):
        real_save(checkpoint, file)
        if when == 'serialise' and checkpoint['meta']['iter'] == 4:
            raise KeyboardInterrupt

    def fsync(file):
        if when == 'bytes' and list(folder.glob(f'iter_4.pth.*{INCOMPLETE}')):
            raise KeyboardInterrupt

    def replace(source, target):
        if when == 'rename' and Path(target).name == 'iter_4.pth':
            raise KeyboardInterrupt
        real_replace(source, target)

    monkeypatch.setattr(torch, 'save', save)
    monkeypatch.setattr(os, 'fsync', fsync)
    monkeypatch.setattr(os, 'replace', replace)


@pytest.mark.parametrize(
    'when', ['serialise', 'bytes', 'rename', 'first_pointer']
)
def test_interrupted_save_keeps_the_earlier_one(tmp_path, monkeypatch, when):
    hook = dict(max_keep_ckpts=1)
    if when == 'first_pointer':
        make_runner(tmp_path, 2, **hook).train()
        (tmp_path / 'last_checkpoint').unlink()  # killed right before it
    else:
        with monkeypatch.context() as patch:
            interrupt_second_save(patch, tmp_path, when)
            with pytest.raises(KeyboardInterrupt):
                make_runner(tmp_path, 6, **hook).train()
        assert names(tmp_path) == {'iter_2.pth'}
        pointer = (tmp_path / 'last_checkpoint').read_text()
        assert Path(pointer) == tmp_path / 'iter_2.pth'
    assert read(tmp_path / 'iter_2.pth')['meta']['iter'] == 2

    recorder = Recorder()
    make_runner(
        tmp_path, 6, resume=True, custom_hooks=[recorder], **hook
    ).train()
    assert [step[0] for step in recorder.steps] == [2, 3, 4, 5]
    assert names(tmp_path) == {'iter_6.pth'}


@pytest.mark.parametrize('name', ['iter_4.pth', 'last_checkpoint'])
def test_full_disk_keeps_the_earlier_one(tmp_path, monkeypatch, name):
    real_fsync, saved = os.fsync, []

    def fsync(file):
        real_fsync(file)
        if list(tmp_path.glob(f'{name}.*{INCOMPLETE}')):
            saved.append(name)
            if name == 'iter_4.pth' or len(saved) == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, 'fsync', fsync)
        with pytest.raises(NotWrittenError) as info:
            make_runner(tmp_path, 6, max_keep_ckpts=1).train()
    message = str(info.value)
    assert f'Cannot write {tmp_path / name}, ' in message
    assert 'MB: No space left on device; ' in message
    assert 'as it was: make room' in message
    assert isinstance(info.value, UserError)
    assert not names(tmp_path, f'*{INCOMPLETE}')
    pointer = (tmp_path / 'last_checkpoint').read_text()
    assert pointer == str(tmp_path / 'iter_2.pth')
    read(tmp_path / 'iter_2.pth')

    make_runner(tmp_path, 6, resume=True, max_keep_ckpts=1).train()
    assert names(tmp_path) == {'iter_6.pth'}


KILLED = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[3])
    from test_safe_checkpoint_hook import make_runner

    when, work_dir = sys.argv[1], Path(sys.argv[2])
    replace = os.replace
    state = dict(saves=0)

    def dying_fsync(file):
        if when == 'bytes' and list(work_dir.glob('iter_4.pth?*')):
            os.ftruncate(file, 100)  # half a file is on the disk
            os._exit(9)

    def dying_replace(source, target):
        replace(source, target)
        if str(target).endswith('.pth'):
            state['saves'] += 1
            if when == 'before_pointer' and state['saves'] == 2:
                os._exit(9)
        elif when == 'before_delete' and state['saves'] == 2:
            os._exit(9)

    os.fsync, os.replace = dying_fsync, dying_replace
    make_runner(work_dir, 6, max_keep_ckpts=1).train()
    """)


@pytest.mark.parametrize(
    ('when', 'resumed_from', 'left'),
    [
        ('bytes', 2, {'iter_2.pth'}),
        ('before_pointer', 2, {'iter_2.pth', 'iter_4.pth'}),
        ('before_delete', 4, {'iter_2.pth', 'iter_4.pth'}),
    ],
)
def test_killed_process(tmp_path, when, resumed_from, left):
    """A real process that dies without any clean-up."""
    script = tmp_path / 'killed.py'
    script.write_text(KILLED)
    done = run_script(script, when, tmp_path, Path(__file__).parent)
    assert done.returncode == 9, done.stderr
    assert names(tmp_path) == left
    assert bool(names(tmp_path, f'*{INCOMPLETE}')) == (when == 'bytes')
    for name in left:
        read(tmp_path / name)

    recorder = Recorder()
    make_runner(
        tmp_path, 6, resume=True, custom_hooks=[recorder], max_keep_ckpts=1
    ).train()
    assert recorder.steps[0][0] == resumed_from
    assert names(tmp_path) == {'iter_6.pth'}
    assert not names(tmp_path, f'*{INCOMPLETE}')


def test_keeps_the_newest(tmp_path):
    make_runner(tmp_path, 10, max_keep_ckpts=2).train()
    assert names(tmp_path) == {'iter_8.pth', 'iter_10.pth'}
    assert (tmp_path / 'last_checkpoint').read_text() == str(
        tmp_path / 'iter_10.pth'
    )


def test_numbers_of_any_format(tmp_path):
    names_of = dict(filename_tmpl='step {:06d}[x].pth', max_keep_ckpts=1)
    leftover = tmp_path / f'step 000009[x].pth.a{INCOMPLETE}'
    leftover.touch()
    make_runner(tmp_path, 4, **names_of).train()
    assert not leftover.exists()
    assert names(tmp_path) == {'step 000004[x].pth'}
    (tmp_path / 'last_checkpoint').unlink()
    recorder = Recorder()
    make_runner(
        tmp_path, 6, resume=True, custom_hooks=[recorder], **names_of
    ).train()
    assert recorder.steps[0][0] == 4


def test_by_epoch_with_mmengines_options(tmp_path):
    runner = make_runner(
        tmp_path,
        4,
        by_epoch=True,
        interval=1,
        max_keep_ckpts=1,
        published_keys=['state_dict'],
        save_optimizer=False,
    )
    runner._train_loop = runner.build_train_loop(
        dict(by_epoch=True, max_epochs=3)
    )
    runner.train()
    assert 'epoch_3.pth' in names(tmp_path)
    assert 'optimizer' not in read(tmp_path / 'epoch_3.pth')
    (published,) = names(tmp_path) - {'epoch_3.pth'}
    assert published.startswith('epoch_3-')
    assert set(read(tmp_path / published)) == {'state_dict'}


# ---- The best checkpoint.


def test_new_best_is_whole_before_the_old_one_goes(tmp_path, monkeypatch):
    make_runner(
        tmp_path, 6, scores=[1, 3, 2], save_best='acc', max_keep_ckpts=1
    ).train()
    assert names(tmp_path, 'best*') == {'best_acc_iter_4.pth'}
    assert read(tmp_path / 'best_acc_iter_4.pth')['meta']['iter'] == 4

    with monkeypatch.context() as patch:

        def replace(source, target):
            raise KeyboardInterrupt

        runner = make_runner(
            tmp_path,
            8,
            scores=[9],
            save_best='acc',
            max_keep_ckpts=1,
            resume=True,
            interval=100,
            save_last=False,
        )
        patch.setattr(os, 'replace', replace)
        with pytest.raises(KeyboardInterrupt):
            runner.train()
    assert names(tmp_path, 'best*') == {'best_acc_iter_4.pth'}

    make_runner(
        tmp_path, 8, scores=[9], save_best='acc', max_keep_ckpts=1, resume=True
    ).train()
    assert names(tmp_path) == {'best_acc_iter_8.pth', 'iter_8.pth'}


def test_a_figure_that_the_user_names_has_to_be_there(tmp_path):
    for number, save_best in enumerate(('ac', ['acc', 'matching/gain'])):
        runner = make_runner(
            tmp_path / str(number),
            scores=[1, 2, 3],
            save_best=save_best,
            rule='greater',
        )
        with pytest.raises(UserValueError, match='may be one of: acc$'):
            runner.train()


@pytest.mark.parametrize('hook', [SafeCheckpointHook, CheckpointHook])
def test_of_a_loss_the_least_is_kept_and_of_the_gain_the_largest(root, hook):
    path = root / 'configs/_base_/pretrain_runtime.py'
    options = Config.fromfile(path).default_hooks.checkpoint
    del options['type']
    assert hook(**options).rules == ['greater']
    options.save_best = ['matching/gain', 'val/loss', 'matching/accuracy']
    assert hook(**options).rules == ['greater', 'less', 'greater']


def test_a_validation_without_the_default_ends_no_run(tmp_path, capfd):
    runner = make_runner(
        tmp_path, scores=[1, 2, 3], save_best='matching/gain', rule='greater'
    )
    runner.train()
    assert runner.iter == 6
    assert names(tmp_path, 'best*') == set()
    assert names(tmp_path, 'iter*') >= {'iter_6.pth'}
    said = capfd.readouterr()
    said = said.out + said.err
    assert said.count('gives no matching/gain') == 1
    assert 'may be one of: acc' in said


def test_no_half_step_is_saved_for_a_new_best(tmp_path):
    runner = make_runner(
        tmp_path, 6, scores=[1, 2], val_interval=3, save_best='acc'
    )
    runner.optim_wrapper['accumulative_counts'] = 2
    runner.train()
    # Validated after iteration 3 too, in the middle of a step.
    assert names(tmp_path, 'iter*') == {
        f'iter_{step}.pth' for step in (2, 4, 6)
    }
    hub = read(tmp_path / 'iter_4.pth')['message_hub']['runtime_info']
    assert Path(hub['best_ckpt']).name == 'best_acc_iter_3.pth'


# ---- Folders that move.


def test_moved_folder_resumes(tmp_path):
    make_runner(tmp_path / 'old', 4).train()
    (tmp_path / 'old').rename(tmp_path / 'new')
    recorder = Recorder()
    make_runner(
        tmp_path / 'new', 6, resume=True, custom_hooks=[recorder]
    ).train()
    assert recorder.steps[0][0] == 4


def test_copied_folder_leaves_the_original_alone(tmp_path):
    settings = dict(save_best='acc', max_keep_ckpts=1)
    make_runner(tmp_path / 'old', 4, scores=[1, 2], **settings).train()
    before = names(tmp_path / 'old')
    shutil.copytree(tmp_path / 'old', tmp_path / 'copy')
    make_runner(
        tmp_path / 'copy', 6, scores=[9], resume=True, **settings
    ).train()
    assert names(tmp_path / 'old') == before
    assert names(tmp_path / 'copy') == {'best_acc_iter_6.pth', 'iter_6.pth'}


def test_nothing_to_resume(tmp_path):
    recorder = Recorder()
    make_runner(tmp_path, 2, resume=True, custom_hooks=[recorder]).train()
    assert recorder.steps[0][0] == 0


# ---- Nothing with NaN or infinity is saved.


class Spoil(Hook):
    """Puts a value into the state at an iteration, before it is saved."""

    priority = 'HIGH'

    def __init__(self, where: str, value: float, iteration: int) -> None:
        self.where, self.value, self.iteration = where, value, iteration

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ) -> None:
        if runner.iter + 1 == self.iteration:
            norm, linear = runner.model.layers
            momentum = runner.optim_wrapper.optimizer.state[linear.weight]
            dict(
                weight=linear.weight.data,
                buffer=norm.running_mean,
                momentum=momentum['momentum_buffer'],
            )[self.where].fill_(self.value)


def test_a_checkpoint_inside_an_epoch_is_found_without_the_pointer(tmp_path):
    make_runner(tmp_path).train()
    (tmp_path / 'last_checkpoint').unlink()
    runner = make_runner(tmp_path, resume=True, by_epoch=True)
    runner.call_hook('before_run')
    assert runner._load_from == str(tmp_path / 'iter_6.pth')


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        ({}, None),
        ({'model.backbone.init_cfg.checkpoint': 'b.pth'}, None),
        ({'optim_wrapper.optimizer.lr': 1}, None),
        ({'model.loss.gamma': 0.2}, 'model.loss.gamma=0.2 (0.1 before)'),
        ({'model.backbone.depth': 50}, 'depth=50 (18 before)'),
        ({'model.backbone.style': 'caffe'}, 'style=caffe (not set before)'),
        (
            {'model.backbone.dilations': (1, 2)},
            'model.backbone.dilations=[1, 2] (not set before)',
        ),
        (
            {'data_preprocessor.mean': [0, 0, 0]},
            'data_preprocessor.mean=[0, 0, 0] (not set before)',
        ),
        (
            {'train_dataloader.dataset.data_root': 'b'},
            'train_dataloader.dataset.data_root=b (a before)',
        ),
        (
            {'train_dataloader.dataset.ann_file': 'other/images.json'},
            'ann_file=other/images.json (some/images.json before)',
        ),
        (
            {'train_dataloader.dataset.data_prefix': 'train'},
            'data_prefix=train (not set before)',
        ),
    ],
)
def test_a_resume_says_what_it_trains_otherwise(
    tmp_path, logged, changes, named
):
    """Also of a checkpoint that mmengine's own hook could have saved."""
    dataset = dict(data_root='a', ann_file='some/images.json', indices=(0, 1))
    backbone = dict(depth=18, init_cfg=dict(checkpoint='a.pth'))
    cfg = dict(
        model=dict(type='Line', backbone=backbone, loss=dict(gamma=0.1)),
        train_dataloader=dict(dataset=dataset),
    )
    runner = make_runner(tmp_path, 2)
    runner.cfg.merge_from_dict(cfg)
    runner.train()
    logged.clear()
    runner = make_runner(tmp_path, resume=True)
    runner.cfg.merge_from_dict(cfg)
    runner.cfg.merge_from_dict(changes)
    runner.load_or_resume()
    lines = [line for line in logged if 'is of a run with' in line]
    assert len(lines) == (named is not None)
    assert named is None or f'{named}. ' in lines[0]


def test_a_validation_alone_saves_nothing(tmp_path):
    runner = make_runner(tmp_path, scores=[0.5], save_best='acc')
    assert runner.val() == dict(acc=0.5)
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize(
    ('where', 'value', 'named'),
    [
        ('weight', float('nan'), 'model.layers.1.weight'),
        ('buffer', float('inf'), 'model.layers.0.running_mean'),
        ('momentum', float('-inf'), "the optimizer's state"),
    ],
)
def test_what_is_not_finite_is_not_saved(tmp_path, where, value, named):
    spoil = Spoil(where, value, iteration=4)
    runner = make_runner(tmp_path, custom_hooks=[spoil], max_keep_ckpts=1)
    with pytest.raises(NonFiniteCheckpointError) as caught:
        runner.train()
    message = str(caught.value)
    assert named in message and 'Iteration 4' in message
    assert str(tmp_path / 'iter_2.pth') in message
    # The earlier one is what --resume finds, and it is whole.
    assert names(tmp_path) == {'iter_2.pth'}
    pointer = (tmp_path / 'last_checkpoint').read_text()
    assert pointer == str(tmp_path / 'iter_2.pth')
    assert read(tmp_path / 'iter_2.pth')['message_hub']
    make_runner(tmp_path, resume=True).train()
    assert 'iter_6.pth' in names(tmp_path)


def test_the_best_is_not_saved_either(tmp_path):
    spoil = Spoil('weight', float('nan'), iteration=1)
    runner = make_runner(
        tmp_path,
        scores=[0.5] * 3,
        custom_hooks=[spoil],
        interval=100,
        save_best='acc',
    )
    with pytest.raises(NonFiniteCheckpointError, match='No checkpoint was'):
        runner.train()
    assert not names(tmp_path)


def test_the_iteration_is_right_at_the_end_of_an_epoch(tmp_path):
    spoil = Spoil('weight', float('nan'), iteration=6)
    runner = make_runner(tmp_path, custom_hooks=[spoil], by_epoch=True)
    runner._train_loop = dict(by_epoch=True, max_epochs=2)
    with pytest.raises(NonFiniteCheckpointError) as caught:
        runner.train()
    batches = len(runner.train_dataloader)
    assert f'Iteration {2 * batches}: NaN' in str(caught.value)


def test_infinity_on_purpose_can_be_saved(tmp_path):
    spoil = Spoil('buffer', float('inf'), iteration=6)
    make_runner(tmp_path, custom_hooks=[spoil], check_finite=False).train()
    saved = read(tmp_path / 'iter_6.pth')
    assert saved['state_dict']['layers.0.running_mean'].isinf().all()


def test_lost_checkpoint_is_an_error(tmp_path):
    make_runner(tmp_path, 2).train()
    (tmp_path / 'iter_2.pth').unlink()
    with pytest.raises(FileNotFoundError, match=r'iter_2\.pth.*--resume PATH'):
        make_runner(tmp_path, 4, resume=True).train()


def test_checkpoints_on_another_disk(tmp_path):
    """Found there too when `last_checkpoint` was not written any more."""
    work_dir, disk = tmp_path / 'run', tmp_path / 'disk'
    make_runner(work_dir, 4, out_dir=str(disk)).train()
    assert names(disk / 'run') == {'iter_2.pth', 'iter_4.pth'}
    (work_dir / 'last_checkpoint').unlink()
    recorder = Recorder()
    make_runner(
        work_dir, 6, resume=True, custom_hooks=[recorder], out_dir=str(disk)
    ).train()
    assert [step[0] for step in recorder.steps] == [4, 5]


@pytest.mark.parametrize(
    'arguments',
    [
        dict(out_dir='s3://bucket/runs'),
        dict(backend_args=dict(backend='petrel')),
        dict(file_client_args=dict(backend='disk')),
    ],
)
def test_only_local_disks(arguments):
    with pytest.raises(ValueError, match='local disk only'):
        SafeCheckpointHook(**arguments)
