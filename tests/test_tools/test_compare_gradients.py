"""The angles between the gradients, measured by the tool and by hand."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from forked_scripts import run_script

from mmselfemd.errors import UserError
from mmselfemd.evaluation.gradients import (
    NodePairs,
    compare_gradients,
    node_pairs,
)
from mmselfemd.transport import cosine_cost

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools/analysis_tools/compare_gradients.py'
CONFIG = ROOT / 'configs/demo/selfemd_r18_scenes.py'
NAMES = {'envelope-implicit', 'envelope-unroll', 'implicit-unroll'}
OPTIONS = {
    'train_dataloader.batch_size': 4,
    'train_dataloader.dataset.data_prefix': '',
}


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('compare_gradients', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def config(tool, image_folder):
    """The demo's config on a few images."""
    options = OPTIONS | {
        'train_dataloader.dataset.data_root': str(image_folder)
    }
    return tool.load_config(str(CONFIG), cfg_options=options)


def random_pairs(batch=20, n=5, m=6):
    return NodePairs(
        torch.randn(batch, n, 4),
        torch.randn(batch, m, 4),
        torch.rand(batch, n),
        torch.rand(batch, m),
    )


def test_the_tool_measures_a_checkpoint(tool, config, image_folder, tmp_path):
    checkpoint, out = tmp_path / 'epoch_1.pth', tmp_path / 'out' / 'a.json'
    model = tool.build_model(config, None)
    with torch.no_grad():  # weights that no seed gives
        for parameter in model.parameters():
            parameter += 0.1 * parameter.std(unbiased=False)
    state = model.state_dict()
    torch.save(dict(state_dict=state, meta={}), checkpoint)
    command = [CONFIG, checkpoint]
    command += ['--images', image_folder, '--json', out]
    command += ['--cfg-options', 'train_dataloader.batch_size=4']
    command += ['model.head.gamma=0.1']
    done = run_script(TOOL, *command)
    assert done.returncode == 0, done.stderr
    assert 'envelope, implicit' in done.stdout
    results = json.loads(out.read_text())
    assert results['settings']['gamma'] == 0.1
    # Two large views and a small one: four pairs of a query and a key.
    assert results['num_problems'] == 4 * 4
    # The same figures by the functions, from the weights in memory.
    config.model.head.gamma = 0.1
    found = compare_gradients(
        node_pairs(model, tool.first_batch(config, 0)), 0.1, 100
    )
    for by in ('cost', 'query'):
        assert set(results[by]) == NAMES
        for name, figures in results[by].items():
            expected = found[by][name]._asdict()
            assert figures == pytest.approx(expected, rel=1e-3, abs=1e-3)
        assert results[by]['envelope-implicit']['angle'] > 0.1


def test_angles_and_ratios_against_a_transcription():
    """Envelope is minus the flow; unroll goes back through Eq. 9."""
    pairs = random_pairs()
    gamma, iterations = 0.3, 4
    found = compare_gradients([pairs], gamma, iterations)
    angles, ratios = [], []
    for b in range(20):
        x, y, s, d = (tensor[b].double() for tensor in pairs)
        cost = cosine_cost(x[None], y[None])[0].requires_grad_()
        s, d = s / s.sum(), d / d.sum()
        kernel, v = torch.exp(-cost / gamma), torch.ones_like(s)
        for _ in range(iterations):
            u = d / (kernel.T @ v)
            v = s / (kernel @ u)
        flow = torch.diag(v) @ kernel @ torch.diag(u)
        slope = torch.autograd.grad(((1 - cost) * flow).sum(), cost)[0]
        flow, slope = flow.detach().numpy(), slope.numpy()
        lengths = np.linalg.norm(flow), np.linalg.norm(slope)
        cosine = -(flow * slope).sum() / lengths[0] / lengths[1]
        angles.append(np.degrees(np.arccos(cosine)))
        ratios.append(lengths[0] / lengths[1])
    result = found['cost']['envelope-unroll']
    assert result.angle == pytest.approx(np.mean(angles), abs=1e-5)
    assert result.angle_std == pytest.approx(np.std(angles), abs=1e-5)
    assert result.length_ratio == pytest.approx(np.mean(ratios))
    assert result.length_ratio_std == pytest.approx(np.std(ratios))


def test_implicit_is_what_unroll_tends_to():
    pairs = [random_pairs(), random_pairs(n=3)]
    early = compare_gradients(pairs, 0.2, 2)
    late = compare_gradients(pairs, 0.2, 1000)
    for by in ('cost', 'query'):
        assert early[by]['implicit-unroll'].angle > 0.1
        assert late[by]['implicit-unroll'].angle < 1e-5
        assert late[by]['implicit-unroll'].length_ratio == pytest.approx(1)
        assert late[by]['envelope-unroll'].angle > 1


def test_measuring_leaves_the_model_as_it_is(tool, config):
    model = tool.build_model(config, None)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    pairs = node_pairs(model, tool.first_batch(config, 0))
    assert sorted(tuple(pair.query.shape) for pair in pairs) == [
        (4, 20, 64),
        (4, 20, 64),
        (4, 83, 64),
        (4, 83, 64),
    ]
    assert not any(tensor.requires_grad for pair in pairs for tensor in pair)
    assert all(
        torch.equal(v, before[k]) for k, v in model.state_dict().items()
    )
    assert modes == [module.training for module in model.modules()]


def test_a_gradient_without_direction_is_an_error():
    pairs = random_pairs()
    pairs.key[3] = torch.nan
    with pytest.raises(UserError, match='1 of 20 gradients .* no direction'):
        compare_gradients([pairs], 0.1, 10)


def test_what_cannot_be_measured_is_said(tool, config, tmp_path):
    byol = ROOT / 'configs/byol/byol_r50_coco_800e.py'
    model = tool.build_model(tool.load_config(str(byol)), None)
    with pytest.raises(UserError, match='expected SelfEMD with EMDHead'):
        node_pairs(model, {})
    torch.save(dict(state_dict=dict(a=torch.ones(1))), tmp_path / 'b.pth')
    with pytest.raises(UserError, match='of another architecture'):
        tool.build_model(config, str(tmp_path / 'b.pth'))
    detector = ROOT / 'configs/demo/faster-rcnn_r18_fpn_scenes.py'
    with pytest.raises(UserError, match='expected the config of a pre-train'):
        tool.build_model(tool.load_config(str(detector)), None)


def test_pairs_are_those_of_a_training_step(tool, config):
    """Held against what the head is given in training mode itself."""
    model = tool.build_model(config, None)
    batch = tool.first_batch(config, 0)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    found = node_pairs(model, batch)
    assert all(
        torch.equal(value, before[name])
        for name, value in model.state_dict().items()
    )
    seen = []
    model.head.register_forward_hook(lambda head, args, _: seen.append(args))
    model.train()
    model.has_momentum_hook = True
    model.loss(**model.data_preprocessor(batch, training=True))
    ((queries, keys),) = seen
    expected = [
        pair
        for group in model.head.transport_groups(queries, keys)
        for pair in group
    ]
    assert len(found) == len(expected) == 4
    for pair, (query, key) in zip(found, expected, strict=True):
        weights = model.head.node_weights(query, key)
        # Running statistics have moved by a step between the views.
        assert torch.allclose(pair.query, query.nodes, atol=1e-5)
        assert torch.allclose(pair.key, key.nodes, atol=1e-5)
        share = [(w == 0).float().mean() for w in (pair.source, weights)]
        assert abs(share[0] - share[1]) < 0.2
