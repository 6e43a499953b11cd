import json

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from mmengine.visualization import LocalVisBackend
from PIL import Image

from mmselfemd.visualization import (
    draw_curves,
    draw_pyramid_crops,
    read_scalars,
    save_figure,
    to_image,
)
from mmselfemd.visualization.curves import curve_colour, moving_average
from mmselfemd.visualization.pyramid import pyramid_windows


@pytest.fixture
def view() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)


# The pyramid


@pytest.mark.parametrize('grid_size', [4, 7])
@pytest.mark.parametrize('pool', [(3, 1), (3, 2), (2, 2), (7, 1), (8, 1)])
def test_windows_are_those_of_average_pooling(grid_size, pool):
    """Each window holds the cells that torch's pool takes its mean from."""
    starts = pyramid_windows(grid_size, *pool)
    cells = torch.arange(grid_size, dtype=torch.float64)[None, None]
    if pool[0] > grid_size:
        assert len(starts) == 0
        return
    pooled = torch.nn.functional.avg_pool1d(cells, *pool)[0, 0]
    covers = (len(pooled) - 1) * pool[1] + pool[0] == grid_size
    means = starts + (pool[0] - 1) / 2
    np.testing.assert_allclose(means, pooled if covers else [])


def test_pyramid_of_a_224_view_has_83_nodes(view):
    figure = draw_pyramid_crops(view)
    assert '49 + 25 + 9 = 83' in figure.get_suptitle()
    crops = [len(axes.images) for axes in figure.axes[3:]]
    assert crops == [49, 25, 9]


def test_pyramid_of_a_112_view_has_20_nodes(view):
    figure = draw_pyramid_crops(view[:112, :112], grid_size=4)
    assert '16 + 4 = 20' in figure.get_suptitle()
    assert len(figure.axes) == 4


def test_a_pool_of_single_cells_is_not_called_the_map(view):
    axes = draw_pyramid_crops(view, pools=[(1, 2)]).axes
    assert [each.get_title() for each in axes[:2]] == [
        '7x7 nodes: the map itself',
        '4x4 nodes: 1x1 pool of stride 2',
    ]


def test_crops_are_the_windows_of_the_view(view):
    axes = draw_pyramid_crops(view).axes
    second = axes[5].images[1].get_array()  # row 0, column 1 of stride 2
    np.testing.assert_array_equal(second, view[:96, 64:160])
    frame = axes[2].patches[0]
    assert frame.get_xy() == (63.5, 63.5)
    assert frame.get_width() == pytest.approx(96)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'grid_size': 0}, 'grid_size'),
        ({'grid_size': 300}, 'grid_size'),
        ({'pools': [(3, 0)]}, 'positive'),
    ],
)
def test_bad_pyramids_are_refused(view, arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_pyramid_crops(view, **arguments)


def test_a_view_must_be_an_image(view):
    with pytest.raises(ValueError, match='view must be an RGB image'):
        draw_pyramid_crops(view / 255)


# Curves


def test_scalars_are_read_as_mmengine_writes_them(tmp_path):
    backend = LocalVisBackend(str(tmp_path / 'vis_data'))
    for step in range(1, 4):
        backend.add_scalars({'loss': 2.0 / step, 'lr': 0.1}, step=step)
    backend.add_scalar('bbox_mAP', 0.25, step=3)
    backend.add_scalars({'loss': float('nan')}, step=4)
    series = read_scalars(tmp_path / 'vis_data' / 'scalars.json')
    assert series['lr'] == ([1, 2, 3], [0.1] * 3)
    assert series['bbox_mAP'] == ([3], [0.25])
    steps, values = series['loss']
    assert steps == [1, 2, 3, 4]
    np.testing.assert_allclose(values, [2, 1, 2 / 3, np.nan])


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path):
    path = tmp_path / 'scalars.json'
    whole = json.dumps({'loss': 1.0, 'step': 1})
    path.write_text(whole + '\n' + whole[:9])
    assert read_scalars(path) == {'loss': ([1], [1.0])}
    path.write_text(whole[:9] + '\n' + whole)
    with pytest.raises(ValueError, match=r'scalars\.json, line 1'):
        read_scalars(path)
    with pytest.raises(FileNotFoundError):
        read_scalars(tmp_path / 'absent.json')


@pytest.mark.parametrize('window', [1, 2, 5, 50])
def test_moving_average_against_a_loop(window):
    values = np.random.default_rng(window).normal(size=30)
    values[[4, 5, 6, 7, 8, 20]] = np.nan
    values[11] = np.inf
    for place, mean in enumerate(moving_average(values, window)):
        low = max(0, place - (window - 1) // 2)
        around = values[low : place + window // 2 + 1]
        around = around[np.isfinite(around)]
        assert mean == pytest.approx(
            around.mean() if len(around) else np.nan, nan_ok=True
        )


def test_curves_pass_through_their_values():
    steps, values = [10, 20, 30], [3.0, np.nan, 1.0]
    figure = draw_curves(
        {'loss': (steps, values), 'loss_emd': ([1], [2])},
        title='Falling',
        window=1,
    )
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), steps)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), values)
    assert axes.get_title(loc='left') == 'Falling'
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ['loss (ends at 1)', 'loss_emd (ends at 2)']


def test_names_of_curves_are_what_they_are_called():
    """Folders of runs; none of them is mathematics, or hidden."""
    names = ['_old: loss', '$a^{: loss_$', 'b']
    figure = draw_curves(dict.fromkeys(names, ([1, 2], [3.0, np.nan])))
    texts = figure.axes[0].get_legend().get_texts()
    labels = [text.get_text() for text in texts]
    assert labels == [f'{name} (ends at 3)' for name in names]
    to_image(figure)  # nothing is parsed


def test_a_value_by_itself_is_seen():
    nan = np.nan
    series = {'a': ([7], [2.0]), 'b': (range(6), [1, nan, 2, 3, nan, 4])}
    axes = draw_curves(series, window=1).axes[0]
    points = [line for line in axes.lines if line.get_marker() == 'o']
    assert [line.get_xydata().tolist() for line in points] == [
        [[7, 2]],
        [[0, 1], [5, 4]],
    ]


def test_a_curve_without_a_finite_value_is_drawn(tmp_path):
    figure = draw_curves({'loss': ([1, 2], [np.nan, np.nan])})
    assert save_figure(figure, tmp_path / 'nan.png').exists()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (({},), 'at least one curve'),
        (({'loss': ([1, 2], [1.0])},), r"series\['loss'\]"),
        (({'loss': ([], [])},), r"series\['loss'\]"),
        (({'loss': ([1], [1.0])}, 'title', 'x', 'y', 0), 'window'),
    ],
)
def test_bad_curves_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_curves(*arguments)


# Files


def test_images_are_written_as_they_are(tmp_path, view):
    path = save_figure(view, tmp_path / 'new' / 'folder' / 'view.png')
    assert path == tmp_path / 'new' / 'folder' / 'view.png'
    with Image.open(path) as image:
        assert image.format == 'PNG'
        np.testing.assert_array_equal(np.asarray(image), view)
    assert [file.name for file in path.parent.iterdir()] == ['view.png']


def test_figures_are_written_at_the_asked_size(tmp_path):
    figure = Figure(figsize=(3, 2))
    with Image.open(save_figure(figure, tmp_path / 'f.png', dpi=50)) as image:
        assert image.size == (150, 100)


def test_a_failed_write_keeps_the_old_file(tmp_path, view, monkeypatch):
    path = save_figure(view, tmp_path / 'view.png')
    before = path.read_bytes()

    def fail(self, file, **kwargs):
        file.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(Figure, 'savefig', fail)
    with pytest.raises(OSError, match='disk full'):
        save_figure(Figure(), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ['view.png']


def test_what_is_not_a_png_is_refused(tmp_path, view):
    with pytest.raises(ValueError, match=r'end in \.png'):
        save_figure(view, tmp_path / 'view.jpg')
    with pytest.raises(ValueError, match='figure must be an RGB image'):
        save_figure(view[..., :1], tmp_path / 'view.png')
    assert not list(tmp_path.iterdir())


def test_twenty_curves_are_told_apart():
    series = {str(n): ([1, 2], [n, n]) for n in range(20)}
    lines = draw_curves(series).axes[0].get_lines()
    assert len({tuple(line.get_color()) for line in lines}) == 20
    assert curve_colour(20) == curve_colour(0)
