import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb, to_rgba
from PIL import Image

from mmselfemd.visualization import (
    MatchingPair,
    draw_all_positions,
    draw_flow_lines,
    draw_matching,
    draw_matching_figure,
    heat_map,
    save_figure,
)
from mmselfemd.visualization.colours import MATCH_STYLES
from mmselfemd.visualization.flow_lines import line_width
from mmselfemd.visualization.heat import HEAT, flow_on_target, overlay_heat

SIDE, NODES = 224, 49
GREEN = (0x39, 0xFF, 0x14)


def centres(flipped: bool = False) -> np.ndarray:
    """Centres of the 7x7 nodes, row by row; mirrored for a flipped crop."""
    x, y = np.meshgrid(np.arange(7) * 32.0, np.arange(7) * 32.0)
    grid = np.stack([x.ravel(), y.ravel()], axis=1)
    if flipped:
        grid[:, 0] = SIDE - 1 - grid[:, 0]
    return grid


def picture(value: int = 0) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def one_to_one(source: int, node: int) -> np.ndarray:
    flow = np.zeros((NODES, NODES))
    flow[source, node] = 0.02
    return flow


@pytest.mark.parametrize('flipped', [False, True])
@pytest.mark.parametrize('node', [0, 6, 17, 24, 42, 48])
def test_heat_is_greatest_where_the_node_lies(node, flipped):
    values = np.random.default_rng(node).uniform(0, 0.5, NODES)
    values[node] = 1
    heat = heat_map(values, centres(flipped), (SIDE, SIDE))
    x, y = centres(flipped)[node].astype(int)
    assert heat[y, x] == heat.max() == 1
    # Past the neighbouring nodes nothing of it is left.
    rows, columns = np.indices(heat.shape)
    outermost = centres(flipped).min(axis=0), centres(flipped).max(axis=0)
    rows = rows.clip(outermost[0][1], outermost[1][1])
    columns = columns.clip(outermost[0][0], outermost[1][0])
    far = np.maximum(abs(rows - y), abs(columns - x)) >= 32
    assert heat[far].max() <= 0.5
    assert heat.min() >= values.min()


def test_heat_at_all_centres_is_the_nodes_value():
    values = np.random.default_rng(0).uniform(size=NODES)
    order = np.random.default_rng(1).permutation(NODES)
    heat = heat_map(values[order], centres()[order], (SIDE, SIDE))
    x, y = centres().astype(int).T
    np.testing.assert_allclose(heat[y, x], values, atol=1e-12)
    # Beyond the last node, at pixel 192, the map stays as it is.
    assert (heat[:, 192:] == heat[:, 192:193]).all()


def test_flipping_the_centres_flips_the_heat():
    values = np.random.default_rng(0).uniform(size=NODES)
    plain = heat_map(values, centres(), (SIDE, SIDE))
    mirrored = heat_map(values, centres(flipped=True), (SIDE, SIDE))
    np.testing.assert_allclose(mirrored, plain[:, ::-1], atol=1e-12)


def test_heat_of_a_single_node_is_even():
    heat = heat_map(np.array([0.7]), np.array([[16.0, 16.0]]), (40, 30))
    np.testing.assert_allclose(heat, np.full((40, 30), 0.7))


def test_overlay_shows_the_crop_where_it_is_cold():
    heat = np.zeros((SIDE, SIDE))
    heat[100, 50] = 1
    crop = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    image = overlay_heat(crop, heat)
    assert image.dtype == np.uint8 and image.shape == crop.shape
    cold = image[:50].astype(float).mean(axis=2).ravel()
    seen = crop[:50].astype(float).mean(axis=2).ravel()
    assert np.corrcoef(cold, seen)[0, 1] > 0.99
    hot = overlay_heat(picture(), heat)[100, 50] / 255
    np.testing.assert_allclose(hot, 0.7 * np.array(HEAT(1.0)[:3]), atol=0.01)


@pytest.mark.parametrize('flipped', [False, True])
@pytest.mark.parametrize('node', [0, 16, 48])
def test_drawn_heat_lies_at_the_receiving_node(node, flipped):
    figure = draw_matching(
        picture(),
        picture(),
        one_to_one(24, node),
        24,
        centres(),
        centres(flipped),
    )
    image = np.asarray(figure.axes[1].images[0].get_array()).astype(float)
    hottest = overlay_heat(picture(), np.ones((SIDE, SIDE)))[0, 0]
    near = np.abs(image - hottest.astype(float)).sum(axis=2)
    x, y = centres(flipped)[node].astype(int)
    assert near[y, x] == near.min() == 0
    assert near[(y + 112) % SIDE, (x + 112) % SIDE] > 50


@pytest.mark.parametrize(
    ('node', 'box'),
    [
        (16, (48, 80, 48, 80)),
        (0, (0, 16, 0, 16)),
        (48, (176, 208, 176, 208)),
        (27, (176, 208, 80, 112)),
    ],
)
def test_green_box_is_drawn_around_the_position(tmp_path, node, box):
    """Seen on the written picture, in the coordinates of crop 1."""
    figure = draw_matching(
        picture(), picture(), one_to_one(node, 0), node, centres(), centres()
    )
    path = save_figure(figure, tmp_path / 'match.png', dpi=100)
    page = np.asarray(Image.open(path).convert('RGB')).astype(int)
    green = np.abs(page - GREEN).sum(axis=2) < 30
    rows, columns = np.nonzero(green)
    to_crop = figure.axes[0].transData.inverted()
    corners = np.array(
        [
            (columns.min(), page.shape[0] - rows.min()),
            (columns.max(), page.shape[0] - rows.max()),
        ]
    )
    (left, top), (right, bottom) = to_crop.transform(corners)
    np.testing.assert_allclose((left, right, top, bottom), box, atol=2.5)


def test_share_on_target_and_chance():
    row = np.zeros(NODES)
    row[24], row[0] = 3, 1
    share, chance = flow_on_target(row, centres(), (96.0, 96.0))
    assert (share, chance) == (0.75, 9 / NODES)
    share, chance = flow_on_target(row, centres(), (0.0, 0.0))
    assert (share, chance) == (0.25, 4 / NODES)
    even = np.ones(NODES)
    share, chance = flow_on_target(even, centres(True), (100.0, 30.0))
    assert share == pytest.approx(chance)
    assert flow_on_target(np.zeros(NODES), centres(), (96, 96))[0] == 0


def test_target_is_marked_and_judged():
    flow = one_to_one(24, 30)
    known = draw_matching(
        picture(),
        picture(),
        flow,
        24,
        centres(),
        centres(),
        target=tuple(centres()[30]),
    )
    ring = known.axes[1].patches[-1]
    assert ring.center == tuple(centres()[30])
    assert '100%' in known.axes[1].get_xlabel()
    assert '18%' in known.axes[1].get_xlabel()  # 9 of 49 nodes
    unknown = draw_matching(
        picture(), picture(), flow, 24, centres(), centres()
    )
    assert not unknown.axes[1].patches and not unknown.axes[1].get_xlabel()


def pair(**changes) -> MatchingPair:
    fields = {
        'crop1': picture(90),
        'crop2': picture(120),
        'flows': [one_to_one(16, 3), one_to_one(16, 40)],
        'positions': [16, 30],
        'centres1': centres(),
        'centres2': centres(True),
        'targets': [(30.0, 60.0), None],
    }
    return MatchingPair(**{**fields, **changes})


def test_page_has_a_row_for_each_pair_and_a_column_for_each_map(tmp_path):
    pairs = [pair(), pair(targets=None), pair()]
    figure = draw_matching_figure(pairs, ['before', 'after'], title='A page')
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 3 * 5
    titles = [axes.get_title() for axes in shown[:5]]
    assert titles == ['Crop 1'] + [
        f'Position {k}, {name}' for k in (1, 2) for name in ('before', 'after')
    ]
    # Flow 0 in column 1, flow 1 in column 2: their peaks lie apart.
    peaks = [np.asarray(axes.images[0].get_array()) for axes in shown[1:3]]
    assert (peaks[0] != peaks[1]).any()
    assert shown[3].get_xlabel() == 'true place outside crop 2'
    assert shown[8].get_xlabel() == ''
    path = save_figure(figure, tmp_path / 'page.png')
    with Image.open(path) as image:
        assert image.width > 1200 and image.height > 900


def test_crops_of_other_sizes_are_drawn_as_they_are():
    small = np.zeros((112, 112, 3), np.uint8)
    grid = centres().reshape(7, 7, 2)[:4, :4].reshape(-1, 2)
    figure = draw_matching(
        picture(), small, np.ones((NODES, 16)), 3, centres(), grid
    )
    assert figure.axes[1].images[0].get_array().shape == (112, 112, 3)


def test_a_flow_of_nothing_is_cold_not_an_error():
    figure = draw_matching(
        picture(), picture(), np.zeros((NODES, NODES)), 0, centres(), centres()
    )
    assert np.ptp(figure.axes[1].images[0].get_array(), axis=(0, 1)).max() == 0


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            {'crop1': picture().astype(float)},
            r'crop1 .*float64 \(224, 224, 3\)',
        ),
        ({'crop2': picture()[..., 0]}, r'crop2 .*\(224, 224\)'),
        ({'crop2': [1, 2]}, 'crop2 .*list'),
        ({'flows': [np.ones((NODES, 48))]}, r'\(49, 49\).*\(49, 48\)'),
        ({'flows': [-np.ones((NODES, NODES))]}, 'not negative'),
        ({'flows': [np.full((NODES, NODES), np.nan)]}, 'finite'),
        ({'positions': [16, 49]}, 'from 0 to 48, but got 49'),
        ({'positions': [-1, 3]}, 'got -1'),
        ({'centres1': centres()[:, :1]}, r'centres1 .*\(49, 1\)'),
        ({'centres2': centres()[:-1]}, 'centres2 must form a grid'),
        ({'targets': [None]}, 'targets .* 2 positions, but has 1'),
        ({'partners': np.ones((NODES, 2), bool)}, r'partners .*\(49, 2\)'),
    ],
)
def test_bad_input_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        pair(**changes)


def test_pages_without_a_flow_for_each_title_are_refused():
    for draw in (draw_matching_figure, draw_flow_lines):
        with pytest.raises(ValueError, match='at least one pair'):
            draw([])
        with pytest.raises(ValueError, match=r'pairs\[1\] has 2 flows, .* 1'):
            draw([pair(flows=[np.eye(NODES)]), pair()], ['only one'])
    with pytest.raises(ValueError, match='values must be of shape'):
        heat_map(np.ones(48), centres(), (SIDE, SIDE))


def test_a_pair_with_fewer_positions_leaves_places_empty():
    figure = draw_matching_figure(
        [pair(), pair(positions=[3], targets=None)], ['before', 'after']
    )
    shown = [len(axes.images) for axes in figure.axes[:10]]
    assert shown == [1] * 5 + [1] * 3 + [0] * 2


# Right and wrong


PARTNERS = np.zeros((NODES, NODES), bool)
PARTNERS[:40, 5] = PARTNERS[:40, 6] = True  # the last nine have none


def judged(flow: np.ndarray) -> MatchingPair:
    return pair(flows=[flow], partners=PARTNERS)


def to(*nodes: int) -> np.ndarray:
    """Nodes of crop 1 send most of their flow to these, one after another."""
    flow = np.full((NODES, NODES), 0.1)
    flow[np.arange(len(nodes)), nodes] = 0.9
    return flow


def test_verdicts_are_those_of_matching_accuracy():
    one = judged(to(5, 6, 7, *[5] * 37, *[5] * 9))
    assert list(one.verdicts(0)) == (
        ['right', 'right', 'wrong'] + ['right'] * 37 + ['unknown'] * 9
    )
    assert one.describe_accuracy(0) == '39 of 40 right (98%)'
    assert one.chance == 2 / NODES
    assert set(pair().verdicts(0)) == {'unknown'}
    assert pair().describe_accuracy(0) == ''


def test_controls_stand_beside_the_accuracy():
    flows, others = [to(5, 7), to(5, 6)], [to(*[7] * 49), to(*[5] * 10)]
    one = pair(flows=flows, others=others, partners=PARTNERS)
    # An untouched row is even, and its first entry the largest.
    assert one.controls(0) == {
        'in another image': 0.0,
        'node i to node i': 2 / 40,
        'chance': 2 / NODES,
    }
    assert one.controls(1)['in another image'] == 10 / 40
    assert pair().controls(0) == {}
    page = draw_matching_figure([one], ['before', 'after'])
    assert page.axes[0].get_xlabel().splitlines() == [
        'matching accuracy',
        'before: 1 of 40 right (2%)',
        'after: 2 of 40 right (5%)',
        'in another image: 0%, 25%',
        'node i to node i: 5%',
        'chance: 4%',
    ]
    (axes,) = draw_flow_lines([judged(to(5))], ['net']).axes[:1]
    assert 'another image' not in axes.get_title()


def test_a_control_for_each_flow():
    with pytest.raises(ValueError, match='one flow for each of the 2 flows'):
        pair(others=[to(5)])


def lines_of(axes, word):
    """Ends and widths of the lines of one kind."""
    collection = next(c for c in axes.collections if c.get_label() == word)
    return np.array(collection.get_segments()), collection.get_linewidths()


def test_lines_lead_where_most_of_the_flow_goes():
    one = judged(to(5, 7, *[0] * 47))
    figure = draw_flow_lines([one], ['net'])
    axes = figure.axes[0]
    # Of the 40 nodes the fifth and the sixth have one at their own place.
    assert axes.get_title() == (
        'net: 1 of 40 right (2%)\nnode i to node i 5%, chance 4%'
    )
    (right,), (width,) = lines_of(axes, 'right')
    # Crop 2 is drawn to the right of crop 1 and lower.
    left, _, _, top = axes.images[1].get_extent()
    corner = np.array([left, top]) + 0.5
    np.testing.assert_allclose(right[0], one.centres1[0])
    np.testing.assert_allclose(right[1], one.centres2[5] + corner)
    assert width == line_width(0.9 / (0.9 + 48 * 0.1))
    assert len(lines_of(axes, 'wrong')[0]) == 39
    assert len(lines_of(axes, 'unknown')[0]) == 9
    wrong = lines_of(axes, 'wrong')[0][0]
    np.testing.assert_allclose(wrong[1], one.centres2[7] + corner)


def test_a_node_without_flow_has_no_line():
    flow = to(*[5] * NODES)
    flow[3] = 0
    axes = draw_flow_lines([judged(flow)], ['net']).axes[0]
    assert len(lines_of(axes, 'right')[0]) == 39
    # Nothing known: all grey, and no accuracy.
    axes = draw_flow_lines([pair()], ['one', 'other']).axes[1]
    assert axes.get_title() == 'other'
    assert len(lines_of(axes, 'right')[0]) == 0


def test_colours_differ_in_lightness_or_dashes_for_any_eye():
    """Seen without red and green apart, and printed in grey."""
    dashes = [style for _, style in MATCH_STYLES.values()]
    assert len({str(style) for style in dashes}) == len(dashes)
    colours = np.array([to_rgb(colour) for colour, _ in MATCH_STYLES.values()])
    # Blue against yellow, which red-green blindness leaves.
    opponent = colours[:, 2] - colours[:, :2].mean(1)
    gaps = np.abs(opponent[:, None] - opponent)[~np.eye(3, dtype=bool)]
    assert gaps.min() > 0.3


def test_all_positions_lie_as_the_nodes_of_crop_1():
    places = [None] * NODES
    places[8] = (96.0, 64.0)
    every = dict(positions=range(NODES), targets=places)
    # Node 8, in row 1 and column 1, is the only one with flow: to node 19.
    one = pair(flows=[one_to_one(8, 19)], partners=PARTNERS, **every)
    figure = draw_all_positions(one, ['net'])
    axes = next(a for a in figure.axes if a.get_title().startswith('net'))
    page = np.asarray(axes.images[0].get_array()).astype(int)
    assert page.shape == (7 * 104, 7 * 104, 3)
    cells = page.reshape(7, 104, 7, 104, 3)[:, :96, :, :96]
    spread = np.ptp(cells, axis=(1, 3)).max(-1)
    assert spread[1, 1] > 50 and (np.delete(spread.ravel(), 8) == 0).all()
    # Node 19 of the mirrored crop 2: row 2, at pixel 223 - 5 * 32.
    small = cells[1, :, 1].sum(-1)
    row, column = np.unravel_index(small.argmax(), small.shape)
    assert (row, column) == pytest.approx((64 * 3 / 7, 63 * 3 / 7), abs=1.5)
    rings = [c for c in axes.collections if len(c.get_offsets()) == 1]
    np.testing.assert_allclose(
        rings[0].get_offsets()[0] - 104, (96 * 3 / 7, 64 * 3 / 7), atol=0.5
    )
    frames = [patch.get_edgecolor() for patch in axes.patches]
    assert len(frames) == NODES
    assert frames[48] == to_rgba(MATCH_STYLES['unknown'][0])
    with pytest.raises(ValueError, match='positions must be all 49 nodes'):
        draw_all_positions(pair(), ['one', 'two'])


def test_heat_lies_on_the_same_content_in_the_mirrored_crop():
    """A flow from every node to its own twin, one of the crops flipped."""
    crop = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    mirror = crop[:, ::-1]
    for node in (8, 19, 37):  # none on the border, where heat is constant
        heat = heat_map(np.eye(NODES)[node], centres(True), (SIDE, SIDE))
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        x, y = centres()[node].astype(int)
        np.testing.assert_array_equal(mirror[row, column], crop[y, x])


@pytest.mark.parametrize('positions', [[24], [3, 24], [0, 8, 24, 48]])
def test_words_fit_on_the_page(positions):
    figure = draw_matching_figure(
        [pair(positions=positions, targets=[(96, 96)] * len(positions))]
    )
    FigureCanvasAgg(figure).draw()
    for text in figure.texts:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width
