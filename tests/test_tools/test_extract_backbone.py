"""tools/model_converters/extract_backbone.py, run as a user runs it."""

import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import timm
import torch
import torchvision
from forked_scripts import run_script
from mmdet.models import ResNet
from safetensors import safe_open

from mmselfemd.zoo import UnsafeCheckpointError, extract_backbone
from mmselfemd.zoo.extract import FORMATS

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'model_converters' / 'extract_backbone.py'

CONFIG = """
model = dict(
    backbone=dict(depth=18, type='mmpretrain.ResNet'),
    data_preprocessor=dict(
        mean=[1.0, 2.0, 3.0], nested=dict(a=1), std=[4.0, 5.0, 6.0],
        to_rgb=True, type='mmpretrain.SelfSupDataPreprocessor'))
open('exploded', 'w').close()
"""


def backbone() -> ResNet:
    """A small ResNet of mmdet with weights that no initialiser gives."""
    model = ResNet(depth=18, base_channels=8)
    for index, value in enumerate(model.state_dict().values()):
        value.copy_(torch.arange(value.numel()).view(value.shape) + index)
    return model


def pretraining_checkpoint(path: Path, **more) -> dict:
    """What a run of pre-training saves: query, key, neck, head."""
    weights = backbone().state_dict()
    state = {f'backbone.{name}': value for name, value in weights.items()}
    state.update(
        {
            f'key.backbone.{name}': value + 100
            for name, value in weights.items()
        }
    )
    state.update(
        {
            'neck.0.weight': torch.ones(1),
            'head.predictor.weight': torch.ones(1),
            **more,
        }
    )
    torch.save(dict(state_dict=state, meta=dict(cfg=CONFIG, iter=3)), path)
    return weights


def run(*arguments, **kwargs) -> CompletedProcess:
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    return run_script(
        TOOL,
        *arguments,
        env=environment,
        **kwargs,
    )


def test_tool_writes_the_query_backbone(tmp_path):
    weights = pretraining_checkpoint(tmp_path / 'iter_3.pth')
    out = tmp_path / 'new' / 'backbone.pth'
    done = run(tmp_path / 'iter_3.pth', out, '--to', 'mmdet', cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    written = torch.load(out, weights_only=True)
    assert list(written['state_dict']) == list(weights)
    for name, value in weights.items():
        assert torch.equal(written['state_dict'][name], value)
    pretraining = written['meta'].pop('pretraining')
    assert pretraining['iter'] == 3
    assert pretraining['settings']['model.backbone.depth'] == 18
    assert written['meta'] == dict(
        source='iter_3.pth',
        format='mmdet',
        pixel_convention=dict(
            channel_order='RGB', mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0]
        ),
        style='pytorch',
        strides=[1, 2, 2, 2],
        dilations=[1, 1, 1, 1],
    )
    parameters = sum(
        value.numel()
        for name, value in weights.items()
        if 'num_batches' not in name
    )
    for fact in (
        f'{len(weights)} tensors',
        f'{parameters:,} values',
        f'{out.stat().st_size:,} bytes',
        hashlib.sha256(out.read_bytes()).hexdigest(),
    ):
        assert fact in done.stdout
    assert not (tmp_path / 'exploded').exists()

    again = run(tmp_path / 'iter_3.pth', out)
    assert again.returncode == 2 and '--force' in again.stderr
    assert 'Traceback' not in again.stderr
    out.write_bytes(b'')
    extract_backbone(tmp_path / 'iter_3.pth', out, force=True)
    assert torch.load(out, weights_only=True).keys() == written.keys()


def test_tool_writes_for_other_projects(tmp_path):
    weights = pretraining_checkpoint(tmp_path / 'iter_3.pth')
    out = tmp_path / 'backbone.safetensors'
    done = run(tmp_path / 'iter_3.pth', out, '--to', 'detectron2')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert 'backbone.layer1.0.bn1.bias -> res2.0.conv1.norm.bias' in lines
    assert (
        f'left: {len(weights) + 2} tensors: key ({len(weights)}), neck (1), '
        'head (1)'
    ) in lines
    with safe_open(out, framework='pt') as file:
        assert len(file.keys()) == len(weights)
        shortcut = file.get_tensor('res3.0.shortcut.weight')
    assert torch.equal(shortcut, weights['layer2.0.downsample.0.weight'])


@pytest.mark.parametrize('to', FORMATS)
def test_a_width_that_a_project_lacks_is_said(tmp_path, to):
    """By the model that is given away, which is narrow."""
    name = 'mmselfemd://selfemd_r18-w16_scenes_6e'
    out = tmp_path / 'out.pth'
    done = run(name, out, '--to', to)
    if to == 'hub':  # the folder names the network
        assert done.returncode == 2 and 'of 16 channels' in done.stderr
        return
    assert done.returncode == 0, done.stderr
    is_said = f"NOTE: {to}'s ResNet-18 has 64 channels" in done.stdout
    assert is_said == (to in ('torchvision', 'timm', 'detectron2'))
    if to in ('torchvision', 'timm'):
        library = torchvision.models if to == 'torchvision' else timm.models
        state = torch.load(out)
        with pytest.raises(RuntimeError, match='size mismatch'):
            library.resnet18().load_state_dict(state, strict=False)
        network = ResNet(depth=18, stem_channels=16, base_channels=16)
        network.load_state_dict(state)


def test_the_usual_width_is_no_note(tmp_path):
    torch.save(
        {
            f'backbone.{name}': value
            for name, value in ResNet(depth=18).state_dict().items()
        },
        tmp_path / 'usual.pth',
    )
    for to in ('torchvision', 'timm', 'detectron2'):
        written = extract_backbone(
            tmp_path / 'usual.pth', tmp_path / f'{to}.pth', to
        )
        assert not written.notes


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_pretrained_of_mmengine_takes_it(tmp_path, suffix):
    weights = pretraining_checkpoint(tmp_path / 'iter_3.pth')
    out = tmp_path / f'backbone.{suffix}'
    extract_backbone(tmp_path / 'iter_3.pth', out)
    model = ResNet(
        depth=18,
        base_channels=8,
        init_cfg=dict(type='Pretrained', checkpoint=str(out)),
    )
    model.init_weights()
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name])


def test_network_that_a_project_lacks_is_refused(tmp_path):
    torch.save(
        dict(state_dict={'backbone.patch_embed.weight': torch.ones(1)}),
        tmp_path / 'a.pth',
    )
    with pytest.raises(ValueError, match='no known backbone.*patch_embed'):
        extract_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth', to='timm')
    assert not (tmp_path / 'b.pth').exists()


def test_loads_in_plain_mmdet(tmp_path):
    """No missing and no unexpected key, in a process without mmselfemd."""
    pretraining_checkpoint(tmp_path / 'iter_3.pth')
    extract_backbone(tmp_path / 'iter_3.pth', tmp_path / 'backbone.pth')
    script = textwrap.dedent("""
        import sys
        sys.modules['mmselfemd'] = None  # any import of it raises
        import torch
        from mmdet.registry import MODELS
        from mmdet.utils import register_all_modules

        register_all_modules()
        path = sys.argv[1]
        model = MODELS.build(dict(
            type='ResNet', depth=18, base_channels=8,
            init_cfg=dict(type='Pretrained', checkpoint=path)))
        model.init_weights()
        expected = torch.load(path, weights_only=True)['state_dict']
        state = model.state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[key], expected[key]) for key in state)
        assert not any(name.startswith('mmselfemd.') for name in sys.modules)
        print('LOADED', len(state))
        """)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != 'PYTHONPATH'
    }
    done = subprocess.run(
        [sys.executable, '-c', script, str(tmp_path / 'backbone.pth')],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert f'LOADED {len(backbone().state_dict())}' in done.stdout
    assert 'do not match' not in done.stdout + done.stderr


def test_pixels_are_left_out_where_unknown(tmp_path):
    torch.save(
        dict(state_dict={'backbone.a': torch.ones(1)}), tmp_path / 'a.pth'
    )
    written = extract_backbone(tmp_path / 'a.pth', tmp_path / 'out.pth')
    assert written.pixels == {}
    assert torch.load(tmp_path / 'out.pth', weights_only=True)['meta'] == dict(
        source='a.pth', format='mmdet'
    )


def test_part_of_a_larger_storage_is_saved_alone(tmp_path):
    torch.save(
        dict(state_dict={'backbone.a': torch.zeros(10**6)[:2]}),
        tmp_path / 'a.pth',
    )
    written = extract_backbone(tmp_path / 'a.pth', tmp_path / 'out.pth')
    assert (written.tensors, written.parameters) == (1, 2)
    assert written.size < 10000


@pytest.mark.parametrize(
    ('prepare', 'message'),
    [
        (lambda path: None, 'there is no such checkpoint'),
        (lambda path: path.mkdir(), 'there is no such checkpoint'),
        (lambda path: path.write_bytes(b'no'), 'damaged'),
        (
            lambda path: torch.save(
                {'layer1.w': torch.ones(1), 'fc.w': torch.ones(1)}, path
            ),
            r'layer1\.\* \(1\), fc\.\* \(1\)',
        ),
        (
            lambda path: pretraining_checkpoint(
                path, **{'backbone.extra': torch.tensor([float('nan')])}
            ),
            'NaN or infinity, extra first',
        ),
    ],
)
def test_bad_input_is_named_and_nothing_written(tmp_path, prepare, message):
    path = tmp_path / 'input.pth'
    prepare(path)
    with pytest.raises((OSError, ValueError), match=message) as error:
        extract_backbone(path, tmp_path / 'out' / 'out.pth')
    assert str(path) in str(error.value)
    assert not (tmp_path / 'out').exists()


def test_code_is_refused(tmp_path):
    pretraining_checkpoint(tmp_path / 'a.pth')
    checkpoint = torch.load(tmp_path / 'a.pth', weights_only=True)
    torch.save(dict(checkpoint, hook=print), tmp_path / 'a.pth')
    with pytest.raises(UnsafeCheckpointError):
        extract_backbone(tmp_path / 'a.pth', tmp_path / 'out.pth')


def test_unknown_format(tmp_path):
    with pytest.raises(ValueError, match='expected one of mmdet'):
        extract_backbone('x', tmp_path / 'y', to='caffe')
