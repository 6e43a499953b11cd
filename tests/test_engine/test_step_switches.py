"""The switches of docs/step.md, each through a real run."""

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from mmselfemd.engine import ChannelsLastHook, launch
from mmselfemd.engine.hooks import channels_last_hook as module
from mmselfemd.registry import HOOKS
from mmselfemd.zoo.frozen_backbone import build_untrained

CONFIG = (
    Path(__file__).resolve().parents[2]
    / 'configs/small/selfemd_r18_voc256_20e.py'
)
SWITCHES = {
    'channels_last': {
        'default_hooks.channels_last': dict(type='ChannelsLastHook'),
    },
    'fused': {'optim_wrapper.optimizer.fused': True},
    'with_cp': {'model.backbone.with_cp': True},
    'compile': {'compile': dict(backend='eager')},
}


@HOOKS.register_module(force=True)
class KeepStates(Hook):
    """Keeps the loss of each iteration, and the weights around each."""

    def before_train(self, runner):
        KeepStates.losses = []
        KeepStates.states = [copy.deepcopy(runner.model.state_dict())]

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        KeepStates.losses.append(outputs['loss'].item())
        KeepStates.states.append(copy.deepcopy(runner.model.state_dict()))


def train(work_dir, image_folder, batch_size=8, **options):
    """One epoch of 8 images; losses, states and the model."""
    model = launch.train(
        str(CONFIG),
        work_dir=str(work_dir),
        cfg_options={
            'train_dataloader.batch_size': batch_size,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'train_dataloader.dataset.data_root': str(image_folder),
            'train_dataloader.dataset.data_prefix': '',
            'train_dataloader.dataset.ann_file': '',
            'val_dataloader': None,
            'val_cfg': None,
            'val_evaluator': None,
            'train_cfg.max_epochs': 1,
            'param_scheduler': [],
            'custom_hooks': [dict(type='KeepStates')],
            'default_hooks.channels_last': None,  # it is on by default
        }
        | options,
    )
    return KeepStates.losses, KeepStates.states, model


def distance(state, other):
    """Length of the difference of all trained weights, in float64."""
    return torch.stack(
        [
            (state[name].double() - other[name].double()).norm()
            for name in state
            if name.endswith(('.weight', '.bias')) and 'key.' not in name
        ]
    ).norm()


@pytest.mark.parametrize(
    'switch',
    [
        # Half a minute to trace.
        pytest.param(each, marks=[pytest.mark.slow] * (each == 'compile'))
        for each in SWITCHES
    ],
)
def test_the_step_is_the_same(switch, image_folder, tmp_path):
    losses, (start, end), _ = train(tmp_path / 'plain', image_folder)
    found, (again, changed), _ = train(
        tmp_path / 'switched', image_folder, **SWITCHES[switch]
    )
    assert distance(again, start) == 0
    assert found == pytest.approx(losses, rel=1e-5)
    assert distance(end, start) > 0
    if switch != 'channels_last':  # other kernels: in float64, see below
        assert distance(changed, end) < 1e-3 * distance(end, start)


def test_accumulation_steps_once_in_several_batches(image_folder, tmp_path):
    losses, states, _ = train(
        tmp_path,
        image_folder,
        batch_size=2,
        **{'optim_wrapper.accumulative_counts': 4},
    )
    assert len(losses) == 4
    moved = [
        distance(after, before) > 0
        for before, after in zip(states, states[1:], strict=False)
    ]
    assert moved == [False, False, False, True]


def spatial(tensors):
    """Those whose layout can be told."""
    found = [t for t in tensors if t.dim() == 4 and t[0, 0].numel() > 1]
    assert found
    return found


def has_channels_last(tensors):
    return [
        tensor.is_contiguous(memory_format=torch.channels_last)
        for tensor in spatial(tensors)
    ]


def test_channels_last_is_on_by_default_and_not_in_the_files(
    image_folder, tmp_path
):
    assert launch.load_config(str(CONFIG)).default_hooks.channels_last
    _, _, model = train(tmp_path, image_folder, **SWITCHES['channels_last'])
    assert all(has_channels_last(model.parameters()))
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    momenta = [
        state['momentum_buffer']
        for state in saved['optimizer']['state'].values()
    ]
    assert not any(has_channels_last(saved['state_dict'].values()))
    assert not any(has_channels_last(momenta))


@pytest.mark.parametrize('is_on', [False, True])
def test_a_checkpoint_goes_on_with_and_without_channels_last(
    is_on, image_folder, tmp_path
):
    _, _, model = train(
        tmp_path,
        image_folder,
        **{} if is_on else SWITCHES['channels_last'],
    )
    layouts = []

    @HOOKS.register_module(force=True)
    class KeepMomenta(Hook):
        priority = 'LOWEST'

        def before_train(self, runner):
            states = runner.optim_wrapper.optimizer.state.values()
            layouts.extend(
                has_channels_last(state['momentum_buffer'] for state in states)
            )

    hook = SWITCHES['channels_last']['default_hooks.channels_last']
    resumed = launch.train(
        str(tmp_path / CONFIG.name),
        work_dir=str(tmp_path),
        resume='auto',
        cfg_options={
            'train_cfg.max_epochs': 2,
            'custom_hooks': [
                dict(type='KeepStates'),
                dict(type='KeepMomenta'),
            ],
            'default_hooks.channels_last': hook if is_on else None,
        },
    )
    assert distance(KeepStates.states[0], model.state_dict()) == 0
    assert set(layouts) == {is_on}
    assert set(has_channels_last(resumed.parameters())) == {is_on}


def runner_of(model):
    """What the hook asks a runner for."""
    return SimpleNamespace(
        model=model,
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), 0.1)),
        logger=MMLogger.get_instance('channels'),
    )


def test_channels_last_acts_on_the_named_devices_alone():
    model = torch.nn.Conv2d(2, 2, 3)
    runner = runner_of(model)
    ChannelsLastHook(devices=['cuda']).before_train(runner)
    assert model.weight.is_contiguous()
    ChannelsLastHook().before_train(runner)
    assert not model.weight.is_contiguous()


def test_a_checkpoint_is_plain_and_keeps_the_versions_of_modules():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 2, 3), torch.nn.BatchNorm2d(2)
    ).to(memory_format=torch.channels_last)
    checkpoint = dict(state_dict=model.state_dict())
    versions = checkpoint['state_dict']._metadata
    assert versions['1']['version'] == 2
    ChannelsLastHook().before_save_checkpoint(runner_of(model), checkpoint)
    assert checkpoint['state_dict']['0.weight'].is_contiguous()
    assert checkpoint['state_dict']._metadata == versions


@pytest.mark.parametrize(
    'channels, stride, kernel, is_safe',
    [(8, 2, 1, False), (16, 2, 1, True), (8, 1, 1, True), (8, 2, 3, True)],
)
def test_channels_stay_first_where_onednn_would_corrupt_memory(
    channels, stride, kernel, is_safe, logged
):
    shortcut = torch.nn.Conv2d(channels, 16, kernel, stride)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, channels, 3), shortcut)
    runner = runner_of(model)
    runner.logger.setLevel('INFO')
    ChannelsLastHook().before_train(runner)
    assert set(has_channels_last(model.parameters())) == {is_safe}
    assert bool(logged) == (not is_safe)


def test_channels_stay_first_in_several_processes(monkeypatch, logged):
    monkeypatch.setattr(module, 'is_model_wrapper', lambda _: True)
    runner = runner_of(torch.nn.Conv2d(2, 2, 3))
    runner.logger.setLevel('INFO')
    ChannelsLastHook().before_train(runner)
    assert runner.model.weight.is_contiguous()
    assert 'several processes' in logged[0]


def gradients_and_counts(with_cp=False, channels_last=False):
    cfg = launch.load_config(
        str(CONFIG), cfg_options={'model.backbone.with_cp': with_cp}
    )
    model = build_untrained(cfg).double().train()
    if channels_last:
        ChannelsLastHook().before_train(runner_of(model))
    model.reset_key()
    model.has_momentum_hook = True
    generator = torch.Generator().manual_seed(0)
    views = [
        torch.randn(4, 3, size, size, dtype=torch.double, generator=generator)
        for size in (112, 112, 56)
    ]
    model.parse_losses(model.loss(views, []))[0].backward()
    gradients = {
        name: parameter.grad
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    counts = {
        name: int(value)
        for name, value in model.named_buffers()
        if name.endswith('num_batches_tracked')
    }
    return gradients, counts


def test_checkpointing_keeps_gradients_and_counts_norms_twice():
    gradients, counts = gradients_and_counts()
    recomputed, counted = gradients_and_counts(with_cp=True)
    for name, gradient in gradients.items():
        torch.testing.assert_close(
            recomputed[name], gradient, rtol=1e-7, atol=1e-10
        )
    # As docs/step.md says: the query's blocks see their maps once more.
    for name, count in counts.items():
        in_block = name.startswith('backbone.layer')
        assert counted[name] == (2 if in_block else 1) * count, name


@pytest.mark.filterwarnings('error:torch.utils.checkpoint')
def test_a_run_leaves_no_choice_of_checkpointing_open(tmp_path, image_folder):
    train(tmp_path, image_folder, **SWITCHES['with_cp'])


def test_a_start_from_weights_is_that_of_query_and_key(tmp_path, image_folder):
    cfg = launch.load_config(str(CONFIG))
    trained = build_untrained(cfg).backbone.state_dict()
    trained = {
        name: value + 1 if value.is_floating_point() else value
        for name, value in trained.items()
    }
    torch.save(trained, tmp_path / 'backbone.pth')
    _, (start, *_), _ = train(
        tmp_path / 'run',
        image_folder,
        pretrained=str(tmp_path / 'backbone.pth'),
    )
    for name, value in trained.items():
        for place in ('backbone', 'key.backbone'):
            assert torch.equal(start[f'{place}.{name}'], value), name


def test_channels_last_keeps_gradients():
    gradients, _ = gradients_and_counts()
    found, _ = gradients_and_counts(channels_last=True)
    for name, gradient in gradients.items():
        torch.testing.assert_close(
            found[name], gradient, rtol=1e-7, atol=1e-10
        )


@pytest.mark.skipif(torch.cuda.is_available(), reason='this host has a GPU')
def test_mixed_precision_is_refused_without_a_gpu():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1)
    with pytest.raises(AssertionError, match='only available training on gpu'):
        AmpOptimWrapper(optimizer=optimizer)
