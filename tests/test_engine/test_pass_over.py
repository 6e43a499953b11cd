"""onedl-mmengine's loop skips by a method that warns; ours passes over."""

import pytest

from mmselfemd.engine.loops import ReproducibleIterBasedTrainLoop


def test_past_batches_are_passed_over_without_its_warning(monkeypatch):
    taken = []

    class Iterator:
        def __next__(self):
            taken.append(None)

        def skip_iter(self, count):
            pytest.fail('it warns')

    cls = ReproducibleIterBasedTrainLoop
    monkeypatch.setattr(cls, '_start_at', lambda loop, position: None)
    monkeypatch.setattr(  # as the fork's
        cls.__mro__[1],
        'run',
        lambda loop: loop.dataloader_iterator.skip_iter(loop._iter),
    )
    loop = object.__new__(cls)
    loop._iter, loop.dataloader_iterator = 3, Iterator()
    cls.run(loop)
    assert len(taken) == 3
