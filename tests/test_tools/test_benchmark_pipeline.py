"""The benchmark of the input runs, and its contestants do the same work."""

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmselfemd.errors import UserError

TOOL = (
    Path(__file__).resolve().parents[2]
    / 'tools/analysis_tools/benchmark_pipeline.py'
)


@pytest.fixture(scope='module')
def benchmark():
    spec = importlib.util.spec_from_file_location('pipelines', TOOL)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOL.parent)  # as for a script
        spec.loader.exec_module(module)
    threads = torch.get_num_threads(), cv2.getNumThreads()
    yield module
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])


def test_writes_times_and_ratios(
    benchmark, tmp_path, image_folder, monkeypatch, capsys
):
    for path in list(image_folder.glob('*.jpg')):  # one is a small share
        for copy in range(4):
            shutil.copy(path, path.with_stem(f'{path.stem}_{copy}'))
    (image_folder / '1.jpg').write_bytes(b'broken')  # passed over
    out = tmp_path / 'new' / 'times.json'
    command = [str(TOOL), '--data', str(image_folder), '--images', '4']
    command += ['--rounds', '3', '--workers', '1', '--batch', '4']
    command += ['--seconds', '0.1', '--json', str(out)]
    monkeypatch.setattr(sys, 'argv', command)
    benchmark.main()
    printed = capsys.readouterr().out
    results = json.loads(out.read_text())
    assert results['images'] == 4
    times = results['host_ms']
    assert times.keys() == results['images_per_second_and_core'].keys()
    for name, milliseconds in times.items():
        rate = results['images_per_second_and_core'][name]
        assert rate == pytest.approx(1e3 / milliseconds)
    assert results['host_speedup_over_mmpretrain'] > 1
    assert results['host_time_over_floor'] > 1
    assert list(results['stages_ms']) == [
        *('read', 'header', 'decode', 'draw', 'cut', 'pack')
    ]
    assert results['device_ms'] > 0
    assert results['images_per_second_with_workers']['1'] > 0
    for key in ('host_speedup_over_mmpretrain', 'host_time_over_floor'):
        assert f'{results[key]:.2f}' in printed


def test_a_missing_folder_is_named(benchmark, tmp_path):
    with pytest.raises(UserError, match='nowhere.*does not exist'):
        benchmark.contestants(str(tmp_path / 'nowhere'))


def test_a_folder_of_broken_images_is_named(benchmark, tmp_path, monkeypatch):
    (tmp_path / 'a.jpg').write_bytes(b'broken')
    monkeypatch.setattr(sys, 'argv', [str(TOOL), '--data', str(tmp_path)])
    with pytest.raises(UserError, match='--data .*none of 1 images'):
        benchmark.main()


def test_numbers_of_things_are_positive(benchmark, monkeypatch, capsys):
    command = [str(TOOL), '--data', 'folder', '--rounds', '0']
    monkeypatch.setattr(sys, 'argv', command)
    with pytest.raises(SystemExit):
        benchmark.main()
    assert '--rounds: expected at least 1' in capsys.readouterr().err


def test_all_make_the_same_three_views(benchmark, image_folder):
    paths, makers = benchmark.contestants(str(image_folder))
    assert len(paths) == 8 and len(makers) == 4
    for name, make in makers.items():
        views = make(0)
        if name != 'floor':
            views = [view.numpy() for view in views['inputs']]
            assert [v.shape for v in views] == [
                (3, size, size) for size in (224, 224, 112)
            ], name
        assert [max(v.shape) for v in views] == [224, 224, 112]
        assert all(v.dtype == np.uint8 for v in views)


def test_mmpretrains_pipeline_is_its_own_with_a_third_view(benchmark):
    load, views, pack = sys.modules['input_contestants'].mmpretrain_pipeline()
    assert (load.type, pack.type) == ('LoadImageFromFile', 'PackInputs')
    first, second, small = views.transforms
    assert [t[0].scale for t in (first, second, small)] == [224, 224, 112]
    assert second[1:] == small[1:] and first[1:] != second[1:]


def test_each_time_is_that_of_its_own_work(benchmark):
    def busy(loops):
        return lambda number: sum(range(loops))

    makers = dict(short=busy(20_000), long=busy(200_000))
    times = benchmark.host_times(makers, range(20), 3)
    assert len(times['short']) == 3
    ratio = benchmark.median_ratio(times['long'], times['short'])
    assert 5 < ratio < 20


def test_large_images_are_kept_shrunk_where_asked(benchmark, tmp_path):
    Image.new('RGB', (2100, 2048)).save(tmp_path / 'large.png')
    shrunk = tmp_path / 'shrunk'
    _, makers = benchmark.contestants(str(tmp_path), str(shrunk))
    for name in ('floor', 'mmpretrain'):
        makers[name](0)
        assert not shrunk.exists()
    makers['mmselfemd'](0)
    assert len([path for path in shrunk.rglob('*') if path.is_file()]) == 1
