"""When the monitors of a run warn, and of what."""

from functools import partial
from math import isnan
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import CosineAnnealingLR, LinearLR
from torch import nn

from mmselfemd.evaluation.collapse import relative_rank
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import EMDHead
from mmselfemd.monitors import CollapseMonitorHook, TransportMonitorHook
from mmselfemd.monitors.warm_up import warm_up_iters
from mmselfemd.transport import ConvergenceWarning, sinkhorn

B, N, C = 16, 20, 32
VERDICTS = dict(
    position='depend on their position alone',
    image='the same all over an image',
    nothing='the dense branch are nearly the same for everything',
)


def as_runner(model=None):
    """As much of a runner as the warnings ask for."""
    return SimpleNamespace(iter=0, model=model)


def nodes_of(what):
    """Nodes of a network that goes by that, and by a little noise."""
    shape = dict(
        position=(1, N, C), image=(B, 1, C), nothing=(1, 1, C), both=(B, N, C)
    )
    return torch.randn(shape[what]) + 0.03 * torch.randn(B, N, C)


def embedded(nodes):
    return Embedding(nodes, torch.randn(B, C))


def spread_out(within):
    """Nodes that lie so far from the direction of their image."""
    image = F.normalize(torch.randn(B, 1, C), dim=2)
    own = torch.randn(B, N, C)
    own = F.normalize(own - (own * image).sum(2, keepdim=True) * image, dim=2)
    return (1 - within**2) ** 0.5 * image + within * own


@pytest.mark.parametrize('what', ['position', 'image', 'nothing', 'both'])
@pytest.mark.parametrize('as_map', [False, True])
def test_each_network_gets_its_own_verdict_and_no_other(what, as_map, logged):
    hook = CollapseMonitorHook(begin=0)
    query, key = (
        nodes + 0.01 * torch.randn_like(nodes)
        for nodes in [nodes_of(what)] * 2
    )
    if as_map:
        query, key = (x.mT.unflatten(2, (4, 5)) for x in (query, key))
    hook.measure(as_runner(), [embedded(query)], [embedded(key)], {})
    found = [k for k, text in VERDICTS.items() if text in '\n'.join(logged)]
    assert found == ([] if what == 'both' else [what])
    assert len(logged) == len(found)


@pytest.mark.parametrize('what', ['position', 'image', 'nothing'])
def test_predictions_are_judged_beside_healthy_keys(what, logged):
    hook = CollapseMonitorHook(begin=0)
    query = Embedding(nodes_of(what), torch.ones(B, C))
    key = embedded(nodes_of('both'))
    figures = hook.measure(as_runner(), [query], [key], {})
    # These are of the keys.
    assert figures['vector_spread'] > 0.5 < figures['vector_rank']
    rank = relative_rank(key.nodes.flatten(0, 1))
    assert figures['dense_rank'] == pytest.approx(rank)
    # The same for everything is the same all over an image too.
    (line,) = logged
    assert VERDICTS['position' if what == 'position' else 'image'] in line


@pytest.mark.parametrize('within, warns', [(0.10, True), (0.38, False)])
def test_predictions_of_a_run_that_gets_going(within, warns, logged):
    """Figures of configs/small after 2 and after 4 epochs, keys at 0.54."""
    query, key = map(spread_out, (within, 0.54))
    figures = CollapseMonitorHook(begin=0).measure(
        as_runner(), [embedded(query)], [embedded(key)], {}
    )
    assert figures['predicted_spread_within'] == pytest.approx(
        within, abs=0.03
    )
    assert figures['dense_spread_within'] == pytest.approx(0.54, abs=0.03)
    assert [VERDICTS['image'] in line for line in logged] == [True] * warns


def test_one_image_does_not_say_whether_images_differ(logged):
    one = Embedding(torch.randn(1, N, C), torch.randn(4, C))
    hook = CollapseMonitorHook(begin=0)
    figures = hook.measure(as_runner(), [one], [one], {})
    assert isnan(figures['predicted_spread_across']) and not logged


@pytest.mark.parametrize('has_nodes', [False, True])
def test_a_batch_of_one_image_has_not_collapsed(has_nodes, logged):
    """As where the norms of the heads are by group, not by batch."""
    nodes = torch.randn(1, N, C) if has_nodes else None
    one = Embedding(nodes, torch.randn(1, C))
    figures = CollapseMonitorHook(begin=0).measure(
        as_runner(), [one], [one], {}
    )
    assert isnan(figures['vector_spread']) and isnan(figures['vector_rank'])
    assert not logged


def test_collapse_is_warned_of_ever_less_often(logged):
    hook, runner = CollapseMonitorHook(interval=10, begin=100), as_runner()
    same = Embedding(torch.ones(4, 5, 8), torch.randn(4, 8))
    steps = []
    for runner.iter in range(0, 4000, 10):
        figures = hook.measure(runner, [same], [same], {})
        steps += [runner.iter] * (len(logged) - len(steps))
    assert figures['dense_spread'] < 1e-3 < figures['vector_spread']
    assert steps == [100, 300, 700, 1500, 3100]
    assert all('dense branch' in line for line in logged)
    assert 'learning rate' in logged[0]


@pytest.mark.parametrize('begin', [0, 500])
def test_each_branch_is_warned_of_by_itself(logged, begin):
    hook, runner = CollapseMonitorHook(begin=begin), as_runner()
    collapsed = dict(
        vector=Embedding(nodes_of('both'), torch.ones(B, C)),
        dense=embedded(torch.ones(B, N, C)),
    )
    for runner.iter in range(0, 5000, 50):
        for view in collapsed.values():
            hook.measure(runner, [view], [view], {})
    for branch in collapsed:
        # Of a hundred measurements, ever fewer.
        assert 2 < sum(f'{branch} branch' in line for line in logged) < 15


def read_flow(hook, runner, blurred):
    """Let the monitor look at nodes that are all alike, or are not."""
    nodes = torch.ones(B, N, C) if blurred else torch.randn(B, N, C)
    views = [embedded(nodes)] * 2
    return hook.measure(runner, views, views, dict(data_samples=[]))


@pytest.fixture
def emd_model():
    model = nn.Module()
    model.head = EMDHead(C, C, marginals='uniform', norm_cfg=dict(type='BN'))
    return model


def test_a_flow_that_goes_everywhere_is_warned_of_when_it_stays(
    emd_model, logged
):
    hook = TransportMonitorHook(interval=10, begin=50, num_exact=1)
    runner, steps = as_runner(emd_model), []
    for runner.iter in range(0, 300, 10):
        blurred = runner.iter not in (60, 90)
        figures = read_flow(hook, runner, blurred)
        assert (figures['matches_per_node'] > 0.8 * N) == blurred
        steps += [runner.iter] * (len(logged) - len(steps))
    # Third in a row after begin, and not again before a pause is over.
    assert steps == [120, 220]
    assert f'goes to {N} of {N} nodes' in logged[0]
    assert 'gamma' in logged[0]


def test_a_flow_that_matches_is_not_warned_of(emd_model, logged):
    hook, runner = TransportMonitorHook(begin=0), as_runner(emd_model)
    for runner.iter in range(0, 500, 50):
        read_flow(hook, runner, blurred=False)
    assert not logged


def test_each_run_of_a_process_is_warned_of_iterations_too_few(emd_model):
    """The run before, in a notebook, may have said so a while ago."""
    cost = 2 * torch.rand(2, N, N)
    weights = torch.rand(2, N) ** 4
    few = partial(sinkhorn, cost, weights, weights.flip(1), 0.01, max_iters=1)
    for _ in range(2):
        runner = as_runner(emd_model)
        runner.param_schedulers = None
        hook = TransportMonitorHook()
        hook.before_train(runner)
        with pytest.warns(ConvergenceWarning):
            few()
        hook.after_train(runner)


def test_no_problem_need_be_solved_without_entropy(emd_model):
    hook = TransportMonitorHook(num_exact=0)
    figures = read_flow(hook, as_runner(emd_model), blurred=False)
    assert 'matches_per_node' in figures and 'excess_cost' not in figures


def schedulers(by_epoch, warm_up):
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1)
    cosine = CosineAnnealingLR(
        optimizer, begin=warm_up, T_max=90, by_epoch=by_epoch
    )
    if not warm_up:
        return [cosine]
    return [LinearLR(optimizer, 1e-6, end=warm_up, by_epoch=by_epoch), cosine]


@pytest.mark.parametrize(
    'by_epoch, warm_up, expected',
    [(False, 70, 70), (True, 4, 40), (True, 0, 0)],
)
def test_the_warm_up_is_known_from_the_schedulers(by_epoch, warm_up, expected):
    runner = SimpleNamespace(train_dataloader=range(10))
    runner.param_schedulers = schedulers(by_epoch, warm_up)
    assert warm_up_iters(runner) == expected
    runner.param_schedulers = dict(one=runner.param_schedulers, other=[])
    assert warm_up_iters(runner) == expected
    runner.param_schedulers = None
    assert warm_up_iters(runner) == 0


@pytest.mark.parametrize(
    'warm_up, begin, first', [(70, None, 70), (0, None, 500), (70, 20, 20)]
)
def test_no_warning_during_the_warm_up(warm_up, begin, first, logged):
    hook = CollapseMonitorHook(begin=begin)
    runner = as_runner(nn.Module())
    runner.param_schedulers = schedulers(False, warm_up)
    hook.before_train(runner)
    alike = embedded(nodes_of('nothing'))
    for runner.iter in range(0, 1000, 10):
        hook.measure(runner, [alike], [alike], {})
        if logged:
            break
    assert runner.iter == first


@pytest.mark.parametrize('what', ['position', 'nothing'])
def test_vectors_that_follow_from_the_nodes_are_no_second_warning(
    what, logged
):
    """Of a network the vector is pooled from the same map as the nodes."""
    nodes = nodes_of(what) + 0.01 * torch.randn(B, N, C)
    view = Embedding(nodes, torch.ones(B, C))
    CollapseMonitorHook(begin=0).measure(as_runner(), [view], [view], {})
    (line,) = logged
    assert VERDICTS[what] in line


def test_vectors_of_healthy_nodes_are_warned_of(logged):
    view = Embedding(nodes_of('both'), torch.ones(B, C))
    CollapseMonitorHook(begin=0).measure(as_runner(), [view], [view], {})
    (line,) = logged
    assert 'vector' in line
