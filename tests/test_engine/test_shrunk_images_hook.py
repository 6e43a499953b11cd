"""Where many images are large, a run keeps them shrunk by itself."""

from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from PIL import Image

from mmselfemd.datasets.shrunk_images import SUFFIX
from mmselfemd.engine import ShrunkImagesHook
from mmselfemd.registry import HOOKS

VIEWS = [dict(size=32, photometric=[])]


def make_runner(folder, num_large, num_small, num_workers=0, **load):
    """What the hook asks a runner for; 64 pixels count as large."""
    images = folder / 'images'
    images.mkdir()
    for number in range(num_large + num_small):
        side = 64 if number < num_large else 63
        image = Image.new('RGB', (side, side), (9 * number, 0, 0))
        image.save(images / f'{number:02}.png')
    loader = dict(
        batch_size=1,
        num_workers=num_workers,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='mmselfemd.UnlabelledDataset',
            data_root=str(images),
            pipeline=[
                dict(type='mmselfemd.LoadImage', **(dict(lazy=True) | load)),
                dict(type='mmselfemd.CutViews', views=VIEWS, backend='torch'),
            ],
        ),
    )
    return SimpleNamespace(
        train_dataloader=Runner.build_dataloader(loader),
        work_dir=str(folder / 'work_dir'),
        logger=MMLogger.get_current_instance(),
    )


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
    ShrunkImagesHook(min_size=32).before_train(runner)
    (line,) = lines_of(logged)
    folder = tmp_path / 'work_dir' / 'shrunk_images'
    assert '2 of 16' in line and str(folder) in line
    read_all(runner)
    assert len(kept_in(folder)) == 2


def test_the_disk_it_takes_is_said(tmp_path, logged):
    """3 of 4 of 1024 x 1024 pixels at half a byte; there are 40,000."""
    runner = make_runner(tmp_path, 3, 1)
    dataset = runner.train_dataloader.dataset
    for number in range(3):
        image = Image.new('L', (2048, 2048))
        image.save(tmp_path / 'images' / f'{number:02}.png')

    class Many:
        pipeline = dataset.pipeline

        def __len__(self):
            return 40_000

        def get_data_info(self, number):
            return dataset.get_data_info(number // 10_000)

    runner.train_dataloader = SimpleNamespace(
        dataset=SimpleNamespace(dataset=Many())
    )
    ShrunkImagesHook().before_train(runner)
    (line,) = lines_of(logged)
    assert '12 of 16' in line and 'about 15.7 GB' in line


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
    load = runner.train_dataloader.dataset.pipeline.transforms[0]
    shrunk = load.shrunk
    ShrunkImagesHook(min_size=32).before_train(runner)
    assert load.shrunk is shrunk and not lines_of(logged)
    assert shrunk is None or shrunk.folder.name == 'chosen'


def test_another_folder(tmp_path):
    runner = make_runner(tmp_path, 2, 0)
    ShrunkImagesHook(str(tmp_path / 'other'), 32).before_train(runner)
    read_all(runner)
    assert len(kept_in(tmp_path / 'other')) == 2


def test_what_cannot_be_read_is_no_reason_to_stop(tmp_path, logged):
    runner = make_runner(tmp_path, 3, 0)
    (tmp_path / 'images/00.png').write_bytes(b'no image')
    (tmp_path / 'images/01.png').unlink()
    ShrunkImagesHook(min_size=32).before_train(runner)
    (line,) = lines_of(logged)
    assert '1 of 3' in line


def test_it_comes_with_every_pre_training(root):
    cfg = Config.fromfile(root / 'configs/selfemd/selfemd_r50_coco_800e.py')
    hook = HOOKS.build(cfg.default_hooks.shrunk_images)
    assert isinstance(hook, ShrunkImagesHook)
