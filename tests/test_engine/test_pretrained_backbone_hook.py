"""PretrainedBackboneHook: the weights that a detector really starts from."""

import textwrap
import uuid
from pathlib import Path

import pytest
import torch
from mmdet.models import ResNet
from mmdet.models.roi_heads.shared_heads import ResLayer
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel, BaseModule
from mmengine.registry import DATASETS, MODEL_WRAPPERS, MODELS
from mmengine.runner import Runner
from mmpretrain.models import SwinTransformer

import mmselfemd.engine  # noqa: F401  registers the hooks
from mmselfemd.engine.hooks import PretrainedBackboneHook
from mmselfemd.zoo import UnsafeCheckpointError, WeightsNotPublishedError


@DATASETS.register_module()
class TinyImages(BaseDataset):
    """Four black images."""

    def load_data_list(self) -> list:
        return [dict(inputs=torch.zeros(3, 32, 32))] * 4


@MODELS.register_module()
class TinyDetector(BaseModel):
    """A backbone of mmdet and one value to train."""

    def __init__(self, backbone: dict, shared_head: dict | None = None):
        super().__init__()
        self.backbone = ResNet(**backbone)
        if shared_head is not None:
            self.roi_head = BaseModule()
            self.roi_head.shared_head = SharedHead(**shared_head)

    def forward(self, inputs, sample_idx, mode='tensor'):
        features = self.backbone(torch.stack(inputs))[-1]
        if mode == 'loss':
            return dict(loss=features.square().mean())
        return [dict(score=0)] * len(inputs)


@MODEL_WRAPPERS.register_module()
class TinyWrapper(torch.nn.Module):
    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def train_step(self, *args, **kwargs) -> dict:
        return self.module.train_step(*args, **kwargs)


class SharedHead(ResLayer):
    """A C4 detector's last stage with the extra norm behind it."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.norm = torch.nn.BatchNorm2d(512)


PARENT = """
default_scope = 'mmdet'
custom_imports = dict(imports=['mmselfemd'])
pretrained = {parent!r}
model = dict(
    type='TinyDetector',
    backbone=dict(depth=18, base_channels=8, norm_eval=False, init_cfg=None))
train_dataloader = dict(
    batch_size=2, dataset=dict(type='TinyImages'), num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False))
train_cfg = dict(by_epoch=True, max_epochs=1)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.0))
default_hooks = dict(
    checkpoint=dict(type='mmselfemd.SafeCheckpointHook', interval=1),
    pretrained_backbone=dict(type='mmselfemd.PretrainedBackboneHook'))
"""


def weights_of(value: float, **kwargs) -> dict:
    """A backbone's state dict, every float of it one value."""
    kwargs = {**dict(depth=18, base_channels=8), **kwargs}
    return {
        name: torch.full_like(tensor, value)
        for name, tensor in ResNet(**kwargs).state_dict().items()
    }


def save(
    path: Path, weights: dict, prefix: str = '', wrap: bool = True
) -> str:
    weights = {f'{prefix}{name}': value for name, value in weights.items()}
    torch.save(dict(state_dict=weights) if wrap else weights, path)
    return str(path)


def make_runner(
    tmp_path: Path, parent=None, child: str = '', options=None, resume=False
) -> Runner:
    """A runner of a child config, with its options from the command line."""
    (tmp_path / 'parent.py').write_text(PARENT.format(parent=parent))
    (tmp_path / 'child.py').write_text(
        f"_base_ = './parent.py'\n{textwrap.dedent(child)}"
    )
    cfg = Config.fromfile(tmp_path / 'child.py')
    cfg.merge_from_dict(options or {})
    cfg.work_dir = str(tmp_path / 'work')
    cfg.resume = resume
    cfg.experiment_name = f'{tmp_path.name}_{uuid.uuid4().hex}'
    return Runner.from_cfg(cfg)


def run(*args, **kwargs) -> tuple[Runner, PretrainedBackboneHook]:
    """Train one epoch at learning rate 0."""
    runner = make_runner(*args, **kwargs)
    runner.train()
    (hook,) = (
        hook
        for hook in runner.hooks
        if isinstance(hook, PretrainedBackboneHook)
    )
    return runner, hook


def trained_from(runner: Runner) -> set[float]:
    """The values of the backbone's parameters."""
    return {
        value
        for parameter in runner.model.backbone.parameters()
        for value in parameter.unique().tolist()
    }


# ---- Which file is loaded: by value.


def test_parent_child_and_option_choose_the_weights(tmp_path):
    a, b, c = (
        save(tmp_path / f'{value}.pth', weights_of(value))
        for value in (1.0, 2.0, 3.0)
    )
    assert trained_from(run(tmp_path, a)[0]) == {1}
    assert trained_from(run(tmp_path, a, f'pretrained = {b!r}')[0]) == {2}
    runner, _ = run(tmp_path, a, f'pretrained = {b!r}', dict(pretrained=c))
    assert trained_from(runner) == {3}


def test_none_leaves_the_random_initialisation(tmp_path):
    a = save(tmp_path / 'a.pth', weights_of(1.0))
    runner, hook = run(tmp_path, a, 'pretrained = None')
    convolution = runner.model.backbone.conv1.weight
    assert len(convolution.unique()) == convolution.numel()
    assert runner.model.backbone.init_cfg[0]['type'] == 'Kaiming'
    assert hook.loaded_keys == []


@pytest.mark.parametrize(
    ('prefix', 'wrap'),
    [('', True), ('', False), ('backbone.', True), ('backbone.', False)],
)
def test_every_form_of_file(tmp_path, prefix, wrap):
    a = save(tmp_path / 'a.pth', weights_of(4.0), prefix, wrap)
    runner, hook = run(tmp_path, a)
    assert trained_from(runner) == {4}
    assert (hook.missing_keys, hook.unexpected_keys, hook.left_keys) == (
        [],
        [],
        [],
    )
    assert len(hook.loaded_keys) == len(runner.model.backbone.state_dict())


def test_zero_init_residual_does_not_overwrite(tmp_path):
    a = save(tmp_path / 'a.pth', weights_of(5.0))
    runner, _ = run(
        tmp_path, a, 'model = dict(backbone=dict(zero_init_residual=True))'
    )
    assert trained_from(runner) == {5}


def test_custom_hooks_of_a_child_do_not_drop_it(tmp_path):
    a = save(tmp_path / 'a.pth', weights_of(6.0))
    child = "custom_hooks = [dict(type='EmptyCacheHook')]"
    assert trained_from(run(tmp_path, a, child)[0]) == {6}


def test_a_bases_own_init_cfg_gives_way(tmp_path):
    a = save(tmp_path / 'a.pth', weights_of(7.0))
    b = save(tmp_path / 'b.pth', weights_of(8.0))
    child = f"""
        model = dict(backbone=dict(init_cfg=dict(
            _delete_=True, type='Pretrained', checkpoint={b!r})))
        """
    assert trained_from(run(tmp_path, a, child)[0]) == {7}


@MODELS.register_module()
class DetectorOf(BaseModel):
    """Any backbone, and one value to train."""

    def __init__(self, backbone: dict):
        super().__init__()
        self.backbone = MODELS.build(backbone)
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs, sample_idx, mode='tensor'):
        return dict(loss=self.scale.square())


SWIN = dict(embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8])
VIT = dict(
    type='mmpretrain.VisionTransformer',
    arch=dict(
        embed_dims=8, num_layers=1, num_heads=2, feedforward_channels=16
    ),
    patch_size=16,
    out_type='featmap',
)


def run_with(backbone: dict, tmp_path, pretrained: str) -> Runner:
    """A detector of another backbone; its initialised state."""
    child = f"""
        model = dict(
            _delete_=True, type='DetectorOf', backbone={backbone!r})
        """
    return run(tmp_path, pretrained, child)[0]


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_a_backbone_that_reads_its_init_cfg_by_itself(
    tmp_path, prefix, logged
):
    """mmdet's Swin, whose tensors have the names of mmpretrain's."""
    trained = SwinTransformer(arch=SWIN, out_indices=(0, 1, 2, 3))
    weights = {
        name: torch.randn_like(value) if value.is_floating_point() else value
        for name, value in trained.state_dict().items()
    }
    file = save(tmp_path / 'swin.pth', weights, prefix)
    backbone = dict(SWIN, type='mmdet.SwinTransformer')
    found = run_with(backbone, tmp_path, file).model.backbone.state_dict()
    for name, value in weights.items():
        assert torch.equal(found[name], value), name
    assert not any('from scratch' in line for line in logged)


def test_a_backbone_that_resizes_what_it_loads(tmp_path):
    """A ViT, trained on 64 pixels, in a detector of 128."""
    trained = MODELS.build(dict(VIT, img_size=64))
    file = save(tmp_path / 'vit.pth', trained.state_dict())
    runner = run_with(dict(VIT, img_size=128), tmp_path, file)
    wanted = MODELS.build(dict(VIT, img_size=128))
    wanted.load_state_dict(trained.state_dict())
    found = runner.model.backbone.state_dict()
    for name, value in wanted.state_dict().items():
        assert torch.equal(found[name], value), name


# ---- The comparison.


def test_report(tmp_path):
    weights = weights_of(1.0)
    for name in ('fc.weight', 'layer5.0.conv1.weight'):
        weights[name] = torch.ones(1)
    for name in list(weights):  # as in torchvision's older files
        if name.endswith('num_batches_tracked'):
            del weights[name]
    runner, hook = run(tmp_path, save(tmp_path / 'a.pth', weights))
    assert hook.missing_keys == []
    assert hook.unexpected_keys == ['layer5.0.conv1.weight']
    assert hook.left_keys == ['fc.weight']
    expected = {
        f'backbone.{name}'
        for name in runner.model.backbone.state_dict()
        if not name.endswith('num_batches_tracked')
    }
    assert set(hook.loaded_keys) == expected
    assert runner.message_hub.get_info('pretrained_backbone') == dict(
        checkpoint=str(tmp_path / 'a.pth'),
        loaded_keys=len(expected),
        missing_keys=[],
        unexpected_keys=['layer5.0.conv1.weight'],
        left_keys=1,
        pretraining={},
    )
    log = next((tmp_path / 'work').rglob('*.log')).read_text()
    assert (
        f'{len(expected)} keys loaded, 0 missing, 1 unexpected '
        '(layer5.0.conv1.weight), 1 left (fc.weight)'
    ) in log


def test_what_the_file_says_of_its_pretraining_is_kept(tmp_path):
    weights = {f'backbone.{k}': v for k, v in weights_of(1.0).items()}
    meta = dict(
        cfg='train_cfg = dict(max_epochs=800)',
        experiment_name='mine_20260101_000000',
        epoch=20,
    )
    torch.save(dict(state_dict=weights, meta=meta), tmp_path / 'a.pth')
    runner, _ = run(tmp_path, str(tmp_path / 'a.pth'))
    kept = runner.message_hub.get_info('pretrained_backbone')['pretraining']
    assert kept == dict(
        config='mine', epoch=20, settings={'train_cfg.max_epochs': 800}
    )


def test_heads_of_a_pretraining_checkpoint_are_left(tmp_path):
    weights = {f'backbone.{k}': v for k, v in weights_of(1.0).items()}
    weights.update({'neck.w': torch.ones(1), 'key.backbone.w': torch.ones(1)})
    _, hook = run(tmp_path, save(tmp_path / 'a.pth', weights))
    assert hook.unexpected_keys == []
    assert hook.left_keys == ['neck.w', 'key.backbone.w']


def test_missing_key_raises(tmp_path):
    weights = weights_of(1.0)
    del weights['layer3.0.bn1.running_mean']
    a = save(tmp_path / 'a.pth', weights)
    with pytest.raises(ValueError) as error:
        run(tmp_path, a)
    message = str(error.value)
    assert a in message
    assert 'lacks 1 (backbone.layer3.0.bn1.running_mean)' in message


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        (
            dict(depth=50),
            r'another shape \(backbone\.layer1\.0\.conv1\.weight: '
            r'\(8, 8, 1, 1\) in the file, \(8, 8, 3, 3\) in the model',
        ),
        (dict(base_channels=16), r'\(16, 3, 7, 7\) in the file'),
        (
            dict(
                num_stages=3,
                strides=(1, 2, 2),
                dilations=(1, 1, 1),
                out_indices=(2,),
            ),
            r'lacks 25 \(backbone\.layer4',
        ),
        (dict(depth=34), r'model lacks \d+ of the file \(layer1\.2'),
    ],
)
def test_another_architecture_raises(tmp_path, other, message):
    a = save(tmp_path / 'a.pth', weights_of(1.0, **other))
    with pytest.raises(ValueError, match=message):
        run(tmp_path, a)


@pytest.mark.parametrize('strides', [[1, 2, 2, 1], [1, 2, 2, 2]])
def test_other_strides_are_warned_of_and_load(tmp_path, logged, strides):
    meta = dict(strides=strides, dilations=[1, 1, 1, 1])
    torch.save(dict(state_dict=weights_of(1.0), meta=meta), tmp_path / 'a.pth')
    runner, _ = run(tmp_path, str(tmp_path / 'a.pth'))
    assert trained_from(runner) == {1}
    warned = any(f'model.backbone.strides={strides}' in x for x in logged)
    assert warned == (strides == [1, 2, 2, 1])


def test_missing_file_and_unpublished_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pretrained='.*none\.pth'"):
        run(tmp_path, str(tmp_path / 'none.pth'))
    with pytest.raises(WeightsNotPublishedError, match='dist_train.sh'):
        run(tmp_path, 'mmselfemd://selfemd_r50_coco_800e')


def test_code_is_refused(tmp_path):
    torch.save(dict(state_dict=weights_of(1.0), f=print), tmp_path / 'a.pth')
    with pytest.raises(UnsafeCheckpointError):
        run(tmp_path, str(tmp_path / 'a.pth'))


# ---- C4: the last stage lives in the shared head.


C4 = """
    model = dict(
        backbone=dict(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1),
                      out_indices=(2, ), base_channels=64),
        shared_head=dict(depth=18, norm_eval=False))
    """


@pytest.mark.parametrize('prefix', ['', 'backbone.'])
def test_c4_takes_both_parts_from_the_file(tmp_path, prefix):
    a = save(tmp_path / 'a.pth', weights_of(9.0, base_channels=64), prefix)
    runner, hook = run(tmp_path, a, C4)
    assert trained_from(runner) == {9}
    head = runner.model.roi_head.shared_head
    assert {
        value
        for parameter in head.layer4.parameters()
        for value in parameter.unique().tolist()
    } == {9}
    assert head.norm.weight.unique().tolist() == [1]  # new, and stays new
    assert hook.missing_keys == [] and hook.unexpected_keys == []
    assert 'roi_head.shared_head.layer4.0.conv1.weight' in hook.loaded_keys


def test_c4_without_the_last_stage_raises(tmp_path):
    weights = {
        name: value
        for name, value in weights_of(1.0, base_channels=64).items()
        if not name.startswith('layer4')
    }
    a = save(tmp_path / 'a.pth', weights)
    with pytest.raises(ValueError, match=r'roi_head\.shared_head\.layer4'):
        run(tmp_path, a, C4)


# ---- When nothing is to be loaded.


def test_resume_needs_no_file(tmp_path):
    a = save(tmp_path / 'a.pth', weights_of(1.0))
    run(tmp_path, a)
    Path(a).unlink()
    child = 'train_cfg = dict(max_epochs=2)'
    runner, hook = run(tmp_path, a, child, resume=True)
    assert runner.epoch == 2 and trained_from(runner) == {1}
    assert hook.loaded_keys == []


def test_resume_with_nothing_to_resume_loads(tmp_path):
    a = save(tmp_path / 'a.pth', weights_of(2.0))
    assert trained_from(run(tmp_path, a, resume=True)[0]) == {2}


def test_evaluation_needs_no_file(tmp_path):
    runner = make_runner(
        tmp_path,
        'none.pth',
        """
        test_dataloader = {{_base_.train_dataloader}}
        test_cfg = dict()
        test_evaluator = []
        """,
    )
    assert runner.test() == {}


def test_model_without_backbone_is_an_error(tmp_path):
    runner = make_runner(tmp_path, save(tmp_path / 'a.pth', weights_of(1.0)))
    runner.model.body = runner.model.backbone
    del runner.model.backbone
    with pytest.raises(ValueError, match='TinyDetector has no backbone'):
        runner.train()


def test_wrapped_model(tmp_path):
    """As under MMDistributedDataParallel: the detector is `module`."""
    runner = make_runner(tmp_path, save(tmp_path / 'a.pth', weights_of(3.0)))
    runner.model = TinyWrapper(runner.model)
    runner.train()
    runner.model = runner.model.module
    assert trained_from(runner) == {3}
