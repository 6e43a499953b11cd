"""Batches from any position; views from (seed, epoch, image)."""

import pickle
import random
from itertools import islice

import mmengine.dataset.sampler as mmengine_sampler
import numpy as np
import pytest
import torch
from mmdet.datasets import MultiImageMixDataset
from mmdet.datasets.samplers import AspectRatioBatchSampler
from mmengine.dataset import (
    BaseDataset,
    DefaultSampler,
    InfiniteSampler,
    RepeatDataset,
)
from mmengine.hooks import DistSamplerSeedHook
from mmengine.registry import DefaultScope
from torch.utils.data import BatchSampler, DataLoader

from mmselfemd.datasets import SeededDataLoader, SeededDataset
from mmselfemd.datasets.samplers import EpochIndex, PositionedBatchSampler
from mmselfemd.errors import UserError


class Draws(BaseDataset):
    """Draws from all three generators; item 4 is broken."""

    metainfo = dict(classes=('thing',))
    broken = 4

    def __init__(self, size=11):
        self.size = size
        super().__init__(pipeline=[self.draw], serialize_data=False)

    def load_data_list(self):
        return [
            dict(number=n, width=20 + 7 * (n * n % 5), height=30)
            for n in range(self.size)
        ]

    @classmethod
    def draw(cls, results):
        assert type(results['sample_idx']) is int
        if results['number'] == cls.broken:
            return None
        draws = random.random(), np.random.rand(), torch.rand(1).item()
        return results['number'], *draws


def make_loader(
    sampler=DefaultSampler,
    batch_sampler=BatchSampler,
    endless=False,
    multiple_of=1,
    size=11,
    **kwargs,
):
    dataset = Draws(size)
    batches = batch_sampler(sampler(dataset, seed=0), 2, drop_last=False)
    loader = DataLoader(
        dataset, batch_sampler=batches, collate_fn=list, **kwargs
    )
    return SeededDataLoader(loader, endless, multiple_of)


def epoch_of(loader, epoch, seed=5, position=0):
    loader.start_at(seed, position)
    loader.set_epoch(epoch)
    return list(loader)


def by_image(batches):
    return {item[0]: item for batch in batches for item in batch}


def set_processes(monkeypatch, rank, world_size):
    monkeypatch.setattr(
        mmengine_sampler, 'get_dist_info', lambda: (rank, world_size)
    )


def test_workers_see_the_epoch_and_change_nothing():
    plain = make_loader()
    expected = [epoch_of(plain, epoch) for epoch in (0, 1, 2)]
    assert len({str(epoch) for epoch in expected}) == 3
    for workers in (1, 2):
        loader = make_loader(num_workers=workers, persistent_workers=True)
        assert [epoch_of(loader, epoch) for epoch in (0, 1, 2)] == expected


def test_an_item_depends_on_seed_epoch_and_index_alone(monkeypatch):
    whole = by_image(epoch_of(make_loader(), 1))
    for rank in (0, 1):
        set_processes(monkeypatch, rank, 2)
        part = by_image(epoch_of(make_loader(), 1))
        # The one that stands in for number 4 is drawn for number 4.
        differing = [n for n in part if part[n] != whole.get(n)]
        assert 5 <= len(part) <= 6 and len(differing) <= 1
    monkeypatch.undo()
    other_epoch = by_image(epoch_of(make_loader(), 2))
    other_seed = by_image(epoch_of(make_loader(), 1, seed=6))
    for number in whole:
        assert whole[number] != other_epoch.get(number)
        assert whole[number] != other_seed.get(number)


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize(
    ('sampler', 'endless'), [(DefaultSampler, False), (InfiniteSampler, True)]
)
def test_an_epoch_is_the_same_however_it_is_dealt_out(
    monkeypatch, sampler, endless, workers
):
    """Without a broken image, and with a share of the same size for each."""
    monkeypatch.setattr(Draws, 'broken', -1)

    def epochs(world_size):
        found = []
        for rank in range(world_size):
            set_processes(monkeypatch, rank, world_size)
            loader = make_loader(
                sampler, endless=endless, size=12, num_workers=workers
            )
            loader.start_at(5, 0)
            loader.set_epoch(0)
            batches = islice(loader, 6 // world_size)
            found += [item for batch in batches for item in batch]
        return sorted(found)

    alone = epochs(1)
    assert [item[0] for item in alone] == list(range(12))
    assert epochs(2) == epochs(3) == alone


def test_what_was_drawn_before_does_not_matter():
    dataset = SeededDataset(Draws(), seed=3)
    first = dataset[EpochIndex(4, epoch=2)]  # broken: another stands in
    np.random.rand(7), torch.rand(3), random.random()
    assert dataset[EpochIndex(4, epoch=2)] == first != dataset[4]
    assert first[0] != 4
    assert dataset[2] == dataset[EpochIndex(2, epoch=0)]


def test_images_are_not_the_next_ones_of_another_epoch():
    dataset = SeededDataset(Draws(), seed=3)
    draws = {
        dataset[EpochIndex(n, epoch)][1:]
        for n in (0, 1, 2, 3)
        for epoch in (0, 1, 2, 3)
    }
    assert len(draws) == 16


@pytest.mark.parametrize(
    'batch_sampler', [BatchSampler, AspectRatioBatchSampler]
)
@pytest.mark.parametrize('multiple_of', [1, 4])
def test_any_position_of_an_epoch(batch_sampler, multiple_of):
    make = lambda: make_loader(  # noqa: E731
        batch_sampler=batch_sampler, multiple_of=multiple_of
    )
    straight = make()
    epochs = [epoch_of(straight, epoch) for epoch in (0, 1, 2)]
    length = len(straight)
    assert length == (6 if multiple_of == 1 else 4)
    assert [len(epoch) for epoch in epochs] == [length] * 3
    for position in range(length + 1):
        resumed = make()
        assert epoch_of(resumed, 1, position=position) == (
            [None] * position + epochs[1][position:]
        )
        assert len(resumed) == length
        resumed.set_epoch(2)
        assert list(resumed) == epochs[2]


@pytest.mark.parametrize('sampler', [DefaultSampler, InfiniteSampler])
@pytest.mark.parametrize(
    'batch_sampler', [BatchSampler, AspectRatioBatchSampler]
)
@pytest.mark.parametrize('rank, world_size', [(0, 1), (1, 2)])
def test_any_position_without_end(
    sampler, batch_sampler, rank, world_size, monkeypatch
):
    set_processes(monkeypatch, rank, world_size)

    def first_40(position):
        loader = make_loader(sampler, batch_sampler, endless=True)
        loader.start_at(5, position)
        return [batch for batch, _ in zip(loader, range(40), strict=False)]

    straight = first_40(0)
    for position in (1, 7, 33):
        assert first_40(position) == ([None] * position + straight[position:])


@pytest.mark.parametrize('world_size', [1, 2, 3])
def test_passes_of_an_infinite_sampler_are_epochs(world_size, monkeypatch):
    epochs = []
    for rank in range(world_size):
        set_processes(monkeypatch, rank, world_size)
        sampler = InfiniteSampler(range(11), seed=0)
        batches = PositionedBatchSampler(
            BatchSampler(sampler, 3, drop_last=False), endless=True
        )
        indices = [
            i for b, _ in zip(batches, range(20), strict=False) for i in b
        ]
        epochs.append([(index.epoch, int(index)) for index in indices])
    # As dealt out in turn, every 11 make an epoch with each image once.
    dealt = [item for turn in zip(*epochs, strict=True) for item in turn]
    for epoch in range(5):
        assert sorted(dealt[11 * epoch : 11 * epoch + 11]) == [
            (epoch, index) for index in range(11)
        ]


def test_nothing_is_read_before_the_first_batch(monkeypatch):
    reads = []
    monkeypatch.setattr(
        Draws, 'prepare_data', lambda self, index: reads.append(index) or index
    )
    iterator = iter(make_loader(endless=True))
    assert not reads
    next(iterator)
    assert len(reads) == 2


def test_an_index_is_a_number_with_an_epoch():
    index = pickle.loads(pickle.dumps(EpochIndex(7, epoch=3)))
    assert index == 7 and index.epoch == 3
    assert [*range(9)][index] == 7


def test_the_inner_dataset_shows_through():
    loader = make_loader(num_workers=1)
    dataset = loader.dataset
    assert dataset.metainfo == dict(classes=('thing',))
    assert dataset.get_data_info(3)['number'] == 3 and len(dataset) == 11
    dataset.pipeline = lambda results: results['number']  # a hook's switch
    assert dataset[1] == 1 == dataset.dataset.pipeline(dict(number=1))
    with pytest.raises(AttributeError):
        dataset.nothing()
    dataset = pickle.loads(pickle.dumps(SeededDataset([5, 6], seed=3)))
    assert dataset.seed == 3 and dataset[1] == 6


def test_torch_does_not_go_past_the_seeding():
    class Batched(Draws):
        def __getitems__(self, indices):
            raise AssertionError('unseeded')

    loader = DataLoader(Batched(), sampler=DefaultSampler(range(11), seed=0))
    assert list(SeededDataLoader(loader))


def test_mmengine_sets_the_epoch_by_its_hook():
    class Runner:
        train_loop = None
        epoch = 2

    loader = make_loader()
    Runner.train_loop = Runner
    Runner.dataloader = loader
    expected = epoch_of(make_loader(), 2)
    DistSamplerSeedHook().before_train_epoch(Runner)
    loader.start_at(5, 0)
    assert list(loader) == expected


def test_loaders_that_cannot_work_are_named():
    with pytest.raises(UserError, match='InfiniteSampler has no epochs'):
        make_loader(InfiniteSampler)
    with pytest.raises(UserError, match='1 image does not fill one batch'):
        PositionedBatchSampler(
            BatchSampler(DefaultSampler([1]), 2, drop_last=True), endless=True
        )
    wide_and_high = PositionedBatchSampler(
        AspectRatioBatchSampler(DefaultSampler(Draws(3)), 3, drop_last=True),
        endless=True,
    )
    with pytest.raises(UserError, match='makes no batch of 3 out of 3'):
        next(iter(wide_and_high))
    with pytest.raises(UserError, match='over 7 batches.* has 6: lower'):
        make_loader(multiple_of=7)
    with pytest.raises(UserError, match='needs a batch sampler'):
        SeededDataLoader(DataLoader(Draws(), batch_size=None))


# ---- Images made of several.


@pytest.fixture
def annotated(image_folder):
    """A detector's dataset of a few images."""
    names = sorted(path.name for path in image_folder.glob('*.jpg'))
    instance = dict(bbox=[1.0, 1.0, 9.0, 9.0], bbox_label=0, ignore_flag=0)

    class Annotated(BaseDataset):
        metainfo = dict(classes=('thing',))

        def load_data_list(self):
            return [
                dict(
                    img_path=str(image_folder / name),
                    img_id=number,
                    instances=[dict(instance)],
                )
                for number, name in enumerate(names)
            ]

    with DefaultScope.overwrite_default_scope('mmdet'):
        yield lambda *transforms: Annotated(
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations', with_bbox=True),
                *transforms,
            ]
        )


def test_mosaics_of_other_images_depend_on_nothing_else(annotated, logged):
    mixed = MultiImageMixDataset(
        annotated(),
        [
            dict(type='Mosaic', img_scale=(32, 32)),
            dict(type='RandomFlip', prob=0.5),
        ],
    )
    seeded = SeededDataset(mixed, seed=3)
    first = [seeded[index]['img'] for index in (5, 2)]
    again = [seeded[index]['img'] for index in (0, 2, 5)]
    np.testing.assert_array_equal(first[0], again[2])
    np.testing.assert_array_equal(first[1], again[1])
    other = SeededDataset(mixed, seed=4)[5]['img']
    assert other.shape != first[0].shape or (other != first[0]).any()
    assert not any('keeps images' in line for line in logged)


@pytest.mark.parametrize('name', ['CachedMosaic', 'CachedMixUp'])
def test_transforms_that_remember_are_named(annotated, logged, name):
    dataset = annotated(dict(type=name, img_scale=(32, 32)))
    SeededDataset(RepeatDataset(dataset, times=2))
    assert any(f'{name}: keeps images' in line for line in logged)
