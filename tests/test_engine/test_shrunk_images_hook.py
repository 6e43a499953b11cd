"""Where many images are large, a run keeps them shrunk by itself.

That such a run can be resumed is in `test_reproducible_loops.py`.
"""

import re
import shutil
from collections import namedtuple
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.dataset import ConcatDataset
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import Runner
from PIL import Image
from two_processes import two_processes

from mmselfemd.datasets import SeededDataLoader, UnlabelledDataset
from mmselfemd.datasets.shrinking import shrink
from mmselfemd.datasets.shrunk_images import SUFFIX
from mmselfemd.engine import ShrunkImagesHook
from mmselfemd.registry import HOOKS

SIDE = 68  # of the smallest image of which a half gives all views 34 pixels
VIEWS = [dict(size=size, photometric=[]) for size in (17, 8)]
CROPS = dict(scale=(0.5, 1), ratio=(0.5, 2), backend='torch')


def make_runner(folder, num_large, num_small, num_workers=0, **load):
    """What the hook asks a runner for."""
    images = folder / 'images'
    images.mkdir()
    for number in range(num_large + num_small):
        side = SIDE if number < num_large else SIDE - 1
        image = Image.new('RGB', (side, side), (9 * number, 0, 0))
        image.save(images / f'{number:02}.png')
    loader = Runner.build_dataloader(
        dict(
            batch_size=1,
            num_workers=num_workers,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='mmselfemd.UnlabelledDataset',
                data_root=str(images),
                pipeline=[
                    dict(
                        type='mmselfemd.LoadImage',
                        **(dict(lazy=True) | load),
                    ),
                    dict(type='mmselfemd.CutViews', views=VIEWS, **CROPS),
                ],
            ),
        )
    )
    loader = SeededDataLoader(loader)
    loader.start_at(0, 0)
    return SimpleNamespace(
        train_dataloader=loader,
        train_loop=None,
        work_dir=str(folder / 'work_dir'),
        logger=MMLogger.get_current_instance(),
        message_hub=MessageHub(f'{folder}'),
        iter=0,
    )


@pytest.fixture(autouse=True)
def _scope(our_scope):
    """Names of the pipeline are ours."""


def load_of(runner):
    return runner.train_dataloader.dataset.dataset.pipeline.transforms[0]


def read_all(runner):
    assert len(list(runner.train_dataloader)) > 0


def lines_of(logged):
    return [line for line in logged if line.startswith('Large images: ')]


def kept_in(folder):
    return list(folder.rglob(f'*{SUFFIX}'))


@pytest.mark.parametrize('num_workers', [0, 1])
def test_workers_keep_large_images_in_the_work_directory(
    tmp_path, logged, num_workers
):
    runner = make_runner(tmp_path, 2, 14, num_workers)
    ShrunkImagesHook().before_train(runner)
    (line,) = lines_of(logged)
    folder = tmp_path / 'work_dir' / 'shrunk_images'
    assert '2 of 16' in line and str(folder) in line
    read_all(runner)
    assert len(kept_in(folder)) == 2


def test_the_disk_it_takes_is_said(tmp_path, logged):
    """Those of 3 in 4; there are 40,000."""
    runner = make_runner(tmp_path, 3, 1)
    for number in range(3):
        path = tmp_path / 'images' / f'{number:02}.png'
        Image.effect_noise((2048, 2048), 64).save(path)
    size = len(shrink(path.read_bytes(), 1024)[0])

    class Many(UnlabelledDataset):
        def __len__(self):
            return 40_000

        def get_data_info(self, number):
            return super().get_data_info(number // 10_000)

    runner.train_dataloader.dataset.dataset.__class__ = Many
    ShrunkImagesHook(min_size=1024).before_train(runner)
    (line,) = lines_of(logged)
    (gigabytes,) = re.findall(r'about ([\d.]+) GB', line)
    assert '12 of 16' in line
    assert float(gigabytes) == pytest.approx(30_000 * size / 1e9, rel=0.01)


@pytest.mark.parametrize(
    'num_large, load',
    [
        (1, {}),  # of 16: the small ones would pay for it
        (0, {}),
        (16, dict(lazy=False)),
        (16, dict(shrunk_dir='chosen')),
        (16, dict(backend_args=dict(backend='local'))),
    ],
)
def test_it_leaves_the_data_alone(tmp_path, logged, num_large, load):
    runner = make_runner(tmp_path, num_large, 16 - num_large, **load)
    shrunk = load_of(runner).shrunk
    ShrunkImagesHook().before_train(runner)
    assert load_of(runner).shrunk is shrunk and not lines_of(logged)
    assert shrunk is None or shrunk.folder.name == 'chosen'


def test_what_it_does_not_know_it_leaves_alone(tmp_path, logged):
    """Several data sets, no views, and workers that have started."""
    runner = make_runner(tmp_path, 2, 0)
    loader, hook = runner.train_dataloader, ShrunkImagesHook()
    dataset = loader.dataset.dataset
    load, views = dataset.pipeline.transforms

    loader.dataset.dataset = ConcatDataset([dataset, dataset])
    hook.before_train(runner)
    loader.dataset.dataset = dataset

    dataset.pipeline.transforms = [load]
    hook.before_train(runner)
    dataset.pipeline.transforms = [load, views]

    runner.train_dataloader = SimpleNamespace(dataset=dataset)
    hook.before_train(runner)
    runner.train_dataloader = loader

    assert not lines_of(logged) and load.shrunk is None
    hook.before_train(runner)
    assert lines_of(logged)


@pytest.mark.parametrize('began_shrunk', [True, False])
def test_a_resumed_run_goes_on_as_it_began(tmp_path, logged, began_shrunk):
    """Whatever the images and the disk are like by now."""
    runner = make_runner(tmp_path, 2, 0)
    if began_shrunk:
        ShrunkImagesHook().before_train(runner)
        load_of(runner).shrunk = None
        (tmp_path / 'images/00.png').write_bytes(b'no image')
        (tmp_path / 'images/01.png').write_bytes(b'no image')
    runner.iter = 5
    logged.clear()
    ShrunkImagesHook().before_train(runner)
    assert (load_of(runner).shrunk is not None) == began_shrunk
    assert ['as before' in line for line in lines_of(logged)] == (
        [True] * began_shrunk
    )


def test_a_full_disk_is_a_warning(tmp_path, logged, monkeypatch):
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(
        shutil, 'disk_usage', lambda _: usage(10**12, 95 * 10**10, 5 * 10**10)
    )
    runner = make_runner(tmp_path, 2, 0)
    ShrunkImagesHook().before_train(runner)
    (line,) = lines_of(logged)
    assert 'has 0.0 GB to spare' in line and 'read as they are' in line
    assert load_of(runner).shrunk is None


def test_another_folder(tmp_path):
    runner = make_runner(tmp_path, 2, 0)
    ShrunkImagesHook(str(tmp_path / 'other')).before_train(runner)
    read_all(runner)
    assert len(kept_in(tmp_path / 'other')) == 2


def test_what_cannot_be_read_is_no_reason_to_stop(tmp_path, logged):
    runner = make_runner(tmp_path, 3, 0)
    (tmp_path / 'images/00.png').write_bytes(b'no image')
    (tmp_path / 'images/01.png').unlink()
    ShrunkImagesHook().before_train(runner)
    (line,) = lines_of(logged)
    assert '1 of 3' in line


@pytest.mark.parametrize(
    'path',
    [
        'selfemd/selfemd_r50_coco_800e.py',
        'byol/byol_r50_coco_800e.py',
        'demo/selfemd_r18_scenes.py',
    ],
)
def test_it_comes_with_every_pre_training(root, path):
    cfg = Config.fromfile(root / 'configs' / path)
    hook = HOOKS.build(cfg.default_hooks.shrunk_images)
    assert isinstance(hook, ShrunkImagesHook)


def test_where_the_first_process_fails_the_others_do_not_wait(tmp_path):
    runner = make_runner(tmp_path, 2, 0)
    dataset = runner.train_dataloader.dataset.dataset

    def begin(rank):
        if rank == 0:  # no error that the hook expects
            dataset.pipeline.transforms[0].read = None
        with pytest.raises((TypeError, RuntimeError)) as raised:
            ShrunkImagesHook().before_train(runner)
        return f'{raised.typename}: {raised.value}'

    first, second = two_processes(begin, tmp_path)
    assert first.startswith('TypeError: ')
    assert second == f'RuntimeError: The first process failed: {first}'
