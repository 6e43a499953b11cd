"""What the backbone matches, drawn at each validation."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from mmselfemd.evaluation import MatchingAccuracy, match_views
from mmselfemd.monitors import MatchingVisualizationHook
from mmselfemd.monitors import matching_visualization_hook as module

SIZE, CELLS = 56, 7


class Recorder:
    def __init__(self):
        self.pictures = {}

    def add_image(self, name, image, step):
        self.pictures[name, step] = image


def runner_of(iteration, is_bgr=True):
    preprocessor = SimpleNamespace(_channel_conversion=is_bgr)
    return SimpleNamespace(
        iter=iteration,
        model=SimpleNamespace(data_preprocessor=preprocessor),
        visualizer=Recorder(),
    )


def batch_of(boxes1, boxes2, seed=0):
    """Images that differ from place to place; maps that are their means."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(
        0, 255, (len(boxes1), 3, 2 * SIZE, 2 * SIZE), generator=generator
    )
    views, outputs = [[], []], []
    for image, *boxes in zip(images, boxes1, boxes2, strict=True):
        sample = DataSample()
        geometry = [dict(box=box, flip=False, size=SIZE) for box in boxes]
        cut = [
            image[:, top : top + SIZE, left : left + SIZE]
            for left, top, *_ in boxes
        ]
        for view, crop in zip(views, cut, strict=True):
            view.append(crop)
        pooled = [
            torch.nn.functional.adaptive_avg_pool2d(crop.float(), CELLS)
            for crop in cut
        ]
        sample.set_field(
            [each - each.mean() for each in pooled], 'feature_maps'
        )
        sample.set_metainfo(dict(views=geometry))
        outputs.append(sample)
    inputs = [torch.stack(view).to(torch.uint8) for view in views]
    return dict(inputs=inputs), outputs


ONE, SHIFTED, APART = (
    (0, 0, SIZE, SIZE),
    (8, 0, SIZE, SIZE),
    (SIZE, SIZE, SIZE, SIZE),
)


@pytest.fixture
def drawn(monkeypatch):
    """Pairs and titles of each picture."""
    found = []
    draw = module.draw_matching_figure

    def record(pairs, titles):
        found.append((pairs, titles))
        return draw(pairs, titles)

    monkeypatch.setattr(module, 'draw_matching_figure', record)
    return found


@pytest.fixture
def said(monkeypatch):
    """Lines of the log."""
    lines = []
    monkeypatch.setattr(
        module, 'print_log', lambda text, **_: lines.append(text)
    )
    return lines


def test_each_validation_is_held_against_the_first(drawn):
    hook = MatchingVisualizationHook(num_pairs=2)
    batch, outputs = batch_of([ONE] * 3, [APART, SHIFTED, ONE])
    hook.before_train(None)
    first = runner_of(0)
    hook.after_val_iter(first, 0, batch, outputs)
    hook.after_val_iter(first, 1, batch, outputs)  # no other batch is drawn
    later = runner_of(30)
    # What was learnt meanwhile: everything is alike.
    for sample in outputs:
        maps = [torch.ones_like(each) for each in sample.feature_maps]
        sample.set_field(maps, 'feature_maps')
    hook.after_val_iter(later, 0, batch, outputs)
    assert [titles for _, titles in drawn] == [
        ['before training'],
        ['before training', 'iteration 30'],
    ]
    (before, _), (both, _) = drawn
    assert len(before) == len(both) == 2  # the views of one are apart
    for one, two in zip(before, both, strict=True):
        # The same crops and positions, whatever was learnt.
        assert np.array_equal(one.crop1, two.crop1)
        assert list(one.positions) == list(two.positions)
        assert np.array_equal(one.flows[0], two.flows[0])
        assert np.ptp(two.flows[1]) < 1e-6 < np.ptp(two.flows[0])
    (picture,) = later.visualizer.pictures.values()
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    assert min(picture.shape[:2]) > 300 and np.ptp(picture) == 255


def test_the_control_is_the_flow_to_the_next_image(drawn):
    hook = MatchingVisualizationHook(num_pairs=3)
    hook.before_train(None)
    batch, outputs = batch_of([ONE] * 3, [SHIFTED] * 3)
    hook.after_val_iter(runner_of(0), 0, batch, outputs)
    ((pairs, _),) = drawn
    map1, map2 = (
        torch.stack([sample.feature_maps[view] for sample in outputs])
        for view in (0, 1)
    )
    expected = match_views(map1, map2[[1, 2, 0]]).numpy()
    found = np.stack([pair.others[0] for pair in pairs])
    np.testing.assert_allclose(found, expected, rtol=1e-5)

    batch, outputs = batch_of([ONE], [SHIFTED])  # a batch of one image
    hook.before_train(None)
    hook.after_val_iter(runner_of(0), 0, batch, outputs)
    ((pair,), _) = drawn[-1]
    assert pair.others is None


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_maps_of_half_precision(drawn, dtype):
    hook = MatchingVisualizationHook()
    hook.before_train(None)
    batch, outputs = batch_of([ONE], [SHIFTED])
    for iteration, kind in enumerate((torch.float32, dtype)):
        maps = [each.to(kind) for each in outputs[0].feature_maps]
        outputs[0].set_field(maps, 'feature_maps')
        hook.after_val_iter(runner_of(iteration), 0, batch, outputs)
    ((pair,), _) = drawn[-1]
    assert np.allclose(*pair.flows, atol=1e-3)
    assert pair.flows[1].sum() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize('is_bgr', [True, False])
def test_crops_are_in_the_colours_of_the_image(drawn, is_bgr):
    batch, outputs = batch_of([ONE], [SHIFTED])
    runner = runner_of(0, is_bgr)
    hook = MatchingVisualizationHook()
    hook.before_train(runner)
    hook.after_val_iter(runner, 0, batch, outputs)
    ((pair,), _), *_ = drawn
    channels = [2, 1, 0] if is_bgr else [0, 1, 2]
    for view, crop in enumerate((pair.crop1, pair.crop2)):
        expected = batch['inputs'][view][0].permute(1, 2, 0).numpy()
        assert np.array_equal(crop, expected[..., channels])


def test_a_run_that_goes_on_begins_anew(drawn):
    hook = MatchingVisualizationHook()
    batch, outputs = batch_of([ONE], [ONE])
    for start in (0, 20):
        hook.before_train(None)
        for iteration in (start, start + 10):
            hook.after_val_iter(runner_of(iteration), 0, batch, outputs)
    assert [titles[0] for _, titles in drawn] == [
        *('before training', 'before training'),
        *('iteration 20', 'iteration 20'),
    ]


def test_a_validation_by_itself_draws_nothing(drawn):
    batch, outputs = batch_of([ONE], [ONE])
    MatchingVisualizationHook().after_val_iter(None, 0, batch, outputs)
    assert not drawn


def test_views_that_are_apart_are_no_error(drawn, said):
    batch, outputs = batch_of([ONE], [APART])
    runner = runner_of(0)
    hook = MatchingVisualizationHook()
    hook.before_train(runner)
    hook.after_val_iter(runner, 0, batch, outputs)
    assert not drawn and not runner.visualizer.pictures
    (line,) = said
    assert line.startswith('No matching is drawn: ')


def test_flows_between_other_views_are_not_shown(drawn):
    """Without a seed a validation has other views each time."""
    hook = MatchingVisualizationHook()
    hook.before_train(None)
    for iteration, boxes in (0, [ONE]), (10, [SHIFTED]), (20, [SHIFTED] * 2):
        batch, outputs = batch_of(boxes, [ONE] * len(boxes))
        hook.after_val_iter(runner_of(iteration), 0, batch, outputs)
    assert [titles for _, titles in drawn] == [
        ['before training'],
        ['iteration 10'],
        ['iteration 20'],
    ]


def without_views(outputs):
    outputs[0].pop('views')


def one_view(outputs):
    outputs[0].set_field(outputs[0].feature_maps[:1], 'feature_maps')


def no_maps(outputs):
    outputs[0].pop('feature_maps')


def no_samples(outputs):
    outputs[:] = [torch.zeros(3), 'accuracy', dict(score=1)]


@pytest.mark.parametrize(
    'change', [without_views, one_view, no_maps, no_samples]
)
def test_what_else_is_validated_is_not_drawn(drawn, change):
    batch, outputs = batch_of([ONE], [ONE])
    change(outputs)
    hook = MatchingVisualizationHook()
    hook.before_train(None)
    hook.after_val_iter(runner_of(0), 0, batch, outputs)
    assert not drawn


def test_maps_that_are_not_finite_end_no_training(drawn, said):
    hook = MatchingVisualizationHook()
    hook.before_train(None)
    for iteration, factor in (0, np.nan), (10, 1), (20, np.inf):
        batch, outputs = batch_of([ONE], [ONE])
        maps = [factor * each for each in outputs[0].feature_maps]
        outputs[0].set_field(maps, 'feature_maps')
        # The figures go on, too.
        MatchingAccuracy().process({}, [outputs[0].to_dict()])
        hook.after_val_iter(runner_of(iteration), 0, batch, outputs)
    assert [titles for _, titles in drawn] == [['iteration 10']]
    assert len(said) == 2 and all('not finite' in line for line in said)
