"""A run whose images need a setting stops before it trains, and says which."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import ConcatDataset

from mmselfemd.datasets import SeededDataset, UnlabelledDataset
from mmselfemd.engine import CheckImagesHook, launch
from mmselfemd.errors import UserError

CUT = dict(type='CutViews', views=[dict(size=8, photometric=[])])


@pytest.fixture(autouse=True)
def _scope(our_scope):
    """Names of the pipeline are ours."""


def write(folder, low, high, dtype=np.uint16, count=20, suffix='png'):
    """Grey images whose values lie between two."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        values = np.linspace(low, high, 48 * 64).reshape(48, 64).astype(dtype)
        np.random.default_rng(number).shuffle(values)
        assert cv2.imwrite(f'{folder}/{number:02}.{suffix}', values)


def dataset_of(folder, **load):
    return UnlabelledDataset(
        str(folder), pipeline=[dict(type='LoadImage', **load), CUT]
    )


def look(dataset, iteration=0, **cfg):
    runner = SimpleNamespace(
        cfg=Config(cfg),
        iter=iteration,
        train_dataloader=SimpleNamespace(dataset=dataset),
        val_loop=None,
    )
    CheckImagesHook().before_train(runner)


def error_of(*args, **kwargs):
    with pytest.raises(UserError) as error:
        look(*args, **kwargs)
    return str(error.value)


def test_narrow_16_bits_stop_the_run_and_the_line_mends_it(tmp_path):
    write(tmp_path, 29000, 31000)
    said = error_of(dataset_of(tmp_path))
    assert '16 training images' in said and 'uint16' in said
    assert '3 % of the range of the files (0 to 65535)' in said
    assert 'tools/check_images.py' in said
    assert 'value_range=(0, 65535)' in said
    setting = said.partition('--cfg-options value_range=')[2].split(')')[0]
    low, high = map(float, setting.split(','))
    assert 29000 <= low < 29050 and 30950 < high <= 31000
    # What it says to set is what then passes, and so does a full range.
    look(dataset_of(tmp_path, value_range=(low, high)))
    look(dataset_of(tmp_path, value_range=(0, 65535)))


@pytest.mark.parametrize('wrap', [SeededDataset, lambda d: ConcatDataset([d])])
def test_it_is_found_below_other_data_sets(tmp_path, wrap):
    write(tmp_path, 0, 4095)
    assert 'value_range=(' in error_of(wrap(dataset_of(tmp_path)))


def test_enough_of_the_range_passes_and_one_dark_image_among_them(tmp_path):
    write(tmp_path, 0, 20000)
    write(tmp_path, 500, 600, count=1)
    look(dataset_of(tmp_path))


def test_one_of_more_bits_among_many_is_counted_as_one(tmp_path):
    write(tmp_path, 0, 255, np.uint8, count=15)
    write(tmp_path / 'deep', 0, 2040, count=1)
    said = error_of(dataset_of(tmp_path))
    assert '16 training images' in said and '1 of them has more than 8' in said
    look(dataset_of(tmp_path, value_range=(0, 2040)), value_range=(0, 2040))


def test_8_bits_pass_however_dark(tmp_path):
    write(tmp_path, 0, 9, np.uint8)
    look(dataset_of(tmp_path))
    write(tmp_path, 0, 9, np.uint8, suffix='bmp')
    look(dataset_of(tmp_path))


def test_a_resumed_run_goes_on_as_it_began(tmp_path):
    write(tmp_path, 29000, 31000)
    look(dataset_of(tmp_path), iteration=1)


def test_a_range_that_misses_the_values_stops(tmp_path):
    write(tmp_path, 29000, 31000)
    said = error_of(dataset_of(tmp_path, value_range=(0, 1)))
    assert '100 % of their values lie outside value_range=(0, 1)' in said
    assert 'value_range=(290' in said


def test_floats_and_bands_ask_for_their_setting(tmp_path):
    tifffile = pytest.importorskip('tifffile', reason='needs the extra images')
    values = np.linspace(250, 310, 48 * 64, dtype='f4').reshape(48, 64)
    for number in range(3):
        tifffile.imwrite(tmp_path / f'{number}.tif', values)
    said = error_of(dataset_of(tmp_path))
    assert 'float32 of 250.06 to 309.94' in said
    assert 'as they are' not in said
    look(dataset_of(tmp_path, value_range=(250, 310)))
    bands = np.zeros((48, 64, 5), np.uint8)
    for number in range(3):
        tifffile.imwrite(
            tmp_path / f'{number}.tif',
            bands,
            photometric='minisblack',
            planarconfig='contig',
        )
    said = error_of(dataset_of(tmp_path, value_range=(250, 310)))
    assert '0.tif' in said and '5 bands' in said and 'set bands' in said
    look(dataset_of(tmp_path, value_range=(250, 310), bands=(4, 0, 1)))


def test_bands_that_an_image_lacks_stop(tmp_path, image_folder):
    said = error_of(dataset_of(image_folder, bands=(5,)))
    assert '0.jpg: it is a JPEG of 3 bands, uint8' in said
    assert 'bands=(5,) names others: set bands to numbers that it has' in said
    look(dataset_of(image_folder, bands=(2, 1, 0)), bands=(2, 1, 0))
    # Grey has all three, and no fourth.
    write(tmp_path, 0, 255, np.uint8)
    look(dataset_of(tmp_path, bands=(2, 1, 0)))
    assert '1 band, uint8' in error_of(dataset_of(tmp_path, bands=(3,)))


def test_none_that_can_be_read_stops_with_the_first_reason(tmp_path):
    heic = b'\0\0\0\x1cftypheic\0\0\0\0mif1heic' + bytes(99)
    for number in range(4):
        (tmp_path / f'{number}.heic').write_bytes(heic)
    said = error_of(dataset_of(tmp_path))
    assert 'None of the 4 training images' in said
    assert '0.heic' in said and 'a HEIC' in said
    # One that can: the run passes over the others.
    write(tmp_path, 0, 255, np.uint8, count=1)
    look(dataset_of(tmp_path))


@pytest.mark.parametrize('content', [b'', b'no image'])
def test_what_is_no_image_at_all_is_none_that_can_be_read(tmp_path, content):
    for number in range(3):
        (tmp_path / f'{number}.jpg').write_bytes(content)
    assert 'None of the 3' in error_of(dataset_of(tmp_path))


def test_a_setting_that_has_not_arrived_stops(tmp_path):
    """As in mmdet's own tools."""
    write(tmp_path, 0, 65535)
    said = error_of(dataset_of(tmp_path), value_range=(0, 4095))
    assert 'value_range=(0, 4095) is set, but the pipeline' in said
    assert 'tools/train.py' in said
    look(dataset_of(tmp_path, value_range=(0, 60000)), value_range=(0, 4095))


def test_so_does_one_that_has_not_arrived_at_validation_or_testing(tmp_path):
    write(tmp_path, 0, 65535)
    settings = dict(value_range=(0, 60000))
    without, having = dataset_of(tmp_path), dataset_of(tmp_path, **settings)
    runner = SimpleNamespace(
        cfg=Config(settings),
        iter=0,
        train_dataloader=SimpleNamespace(dataset=having),
        val_loop=SimpleNamespace(),
        val_dataloader=SimpleNamespace(dataset=without),
        test_dataloader=SimpleNamespace(dataset=ConcatDataset([without])),
    )
    hook = CheckImagesHook()
    with pytest.raises(UserError, match='pipeline of the validation images'):
        hook.before_train(runner)
    with pytest.raises(UserError, match='pipeline of the test images'):
        hook.before_test(runner)
    runner.val_dataloader.dataset = runner.test_dataloader.dataset = having
    hook.before_train(runner)
    hook.before_test(runner)


def test_the_published_configs_stop_in_tools_train(root, tmp_path):
    """The whole way, with nothing trained."""
    write(tmp_path / 'images', 29000, 31000)
    options = {
        'train_dataloader.dataset.data_root': str(tmp_path / 'images'),
        'train_dataloader.dataset.data_prefix': '',
        'train_dataloader.dataset.ann_file': '',
        'train_dataloader.batch_size': 2,
        'train_dataloader.num_workers': 0,
        'val_dataloader': None,
        'val_cfg': None,
        'val_evaluator': None,
    }
    config = str(root / 'configs/small/selfemd_r18_voc256_20e.py')
    with pytest.raises(UserError, match=r'value_range=\(2900'):
        launch.train(
            config, work_dir=str(tmp_path / 'run'), cfg_options=options
        )
    assert not list((tmp_path / 'run').glob('*.pth'))


@pytest.mark.parametrize(
    'name',
    [
        'selfemd/selfemd_r50_coco_800e.py',
        'detection/coco/mask-rcnn_r50_c4_syncbn_90k_coco.py',
        'detection/stock/retinanet_r50_fpn_1x_coco.py',
    ],
)
def test_both_stages_have_it(root, name):
    cfg = launch.load_config(str(root / 'configs' / name))
    assert cfg.default_hooks.check_images.type.endswith('CheckImagesHook')
    assert cfg.value_range is None and cfg.bands is None
