"""mmengine's loops of training, the same every time and after a resume."""

import logging
from typing import Any

from mmengine.dist import get_rank
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from mmselfemd.datasets.same_files import check_same_files
from mmselfemd.datasets.seeded_data_loader import SeededDataLoader
from mmselfemd.engine.hooks.preemption_hook import PreemptionHook
from mmselfemd.engine.model import accumulative_counts
from mmselfemd.random_state import derived_seed, seed_generators
from mmselfemd.registry import LOOPS

from .batch_layout import check_layout
from .last_whole_step import POSITION, LastWholeStep


class _ReproducibleLoop:
    """What both loops share: the loader, and the random numbers of a step.

    Generators are seeded for each iteration from (seed, iteration, rank). So
    they need no place in the checkpoint, and what is drawn elsewhere, by a
    validation or a picture say, changes nothing.
    """

    endless: bool
    runner: Runner
    dataloader: SeededDataLoader

    def __init__(
        self, runner: Runner, dataloader: DataLoader | dict, **kwargs
    ) -> None:
        if isinstance(dataloader, dict):
            dataloader = runner.build_dataloader(dataloader, seed=runner.seed)
        check_same_files(dataloader.dataset, 'train_dataloader')
        counts = accumulative_counts(runner.optim_wrapper)
        length = len(dataloader)
        loader = SeededDataLoader(dataloader, self.endless, counts)
        self.accumulative_counts = counts
        if len(loader) < length:
            print_log(
                f'Gradients are accumulated over {counts} batches: the last '
                f'{length - len(loader)} of the {length} batches of an epoch '
                'make no step of the optimiser, and are left out.',
                logger='current',
            )
        super().__init__(runner, loader, **kwargs)

    def _start_at(self, position: int) -> None:
        """Take the seed of the run, by now the checkpoint's if it resumes."""
        check_layout(
            self.runner.message_hub,
            self.dataloader,
            self.accumulative_counts,
            by_epoch=not self.endless,
        )
        validation = self.runner._val_loop
        check_same_files(
            validation and validation.dataloader.dataset, 'val_dataloader'
        )
        self.seed = self.runner.seed
        if self.runner._randomness_cfg.get('diff_rank_seed'):
            self.seed -= get_rank()  # mmengine has added it
        self.dataloader.start_at(self.seed, position)
        model = self.runner.model
        if isinstance(model, DistributedDataParallel) and _has_own_statistics(
            model
        ):
            # A checkpoint has those of rank 0 only, and a forward pass may
            # read them (`node_vectors` does): so each step starts from them.
            model.broadcast_buffers = True

    def run(self) -> nn.Module:
        """Train; after an error, save the optimiser's last whole step.

        Returns:
            nn.Module: The trained model.
        """
        self._last_whole_step = LastWholeStep(self.runner)
        try:
            return super().run()
        except Exception:
            self._save_last_whole_step()
            self._stop_listening()
            raise
        except KeyboardInterrupt:
            self._stop_listening()
            raise

    def _save_last_whole_step(self) -> None:
        try:
            self._last_whole_step.save()
        except Exception as error:  # the first one is what matters
            print_log(
                f'The last whole step could not be saved: {error}',
                logger='current',
                level=logging.WARNING,
            )

    def _stop_listening(self) -> None:
        # A process that goes on, a notebook's, has to hear signals again.
        for hook in self.runner.hooks:
            if isinstance(hook, PreemptionHook):
                hook.stop_listening()

    def run_iter(self, *args) -> None:
        """Train on a batch.

        Args:
            *args: As for mmengine's loop.
        """
        seed_generators(derived_seed(self.seed, self._iter, get_rank()))
        super().run_iter(*args)
        self._last_whole_step.note()


@LOOPS.register_module()
class ReproducibleEpochBasedTrainLoop(_ReproducibleLoop, EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` as a function of config and seed.

    What is drawn for an image depends on (seed, epoch, image) alone, whatever
    the workers and processes. A run that is killed and resumed, inside an
    epoch or at its end, goes on as if nothing had been: with the checkpoint's
    seed, at the batch after the checkpoint, without reading an image of the
    past. On a CPU in float32, with as many processes as before, losses and
    weights are the same bit by bit. mmengine's own loop starts the epoch
    again, and draws anew.

    With ``accumulative_counts`` an epoch ends with a step of the optimiser,
    so that a checkpoint never falls between two.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): Loader of the training data. Its
            sampler draws from its ``seed`` and epoch, as all of OpenMMLab do.
        **kwargs: As for mmengine's ``EpochBasedTrainLoop``.
    """

    endless = False

    def run(self) -> nn.Module:
        """Go to where the run stands, and train.

        Returns:
            nn.Module: The trained model.
        """
        # Written down by `run_iter`; mmengine's own loops write nothing, and
        # their checkpoints go on at the start of the epoch.
        info = self.runner.message_hub.runtime_info
        epoch, position = info.get(POSITION, (-1, 0))
        is_inside = self._iter > 0 and epoch == self._epoch
        self._start_at(position if is_inside else 0)
        return super().run()

    def run_epoch(self) -> None:
        """Iterate over one epoch, or what is left of it."""
        self.dataloader.set_epoch(self._epoch)
        super().run_epoch()

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Train on a batch.

        Args:
            idx (int): Its place in the epoch.
            data_batch (Any): The batch; None if it is of the past.
        """
        if data_batch is None:
            return
        self.runner.message_hub.update_info(POSITION, (self._epoch, idx + 1))
        super().run_iter(idx, data_batch)


@LOOPS.register_module()
class ReproducibleIterBasedTrainLoop(_ReproducibleLoop, IterBasedTrainLoop):
    """``IterBasedTrainLoop`` as a function of config and seed.

    See :class:`ReproducibleEpochBasedTrainLoop`. mmengine's own loop decodes
    all images of the past to get back to its place. If the sampler ends, one
    epoch follows another without the two seconds that mmengine waits.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader or dict): Loader of the training data.
        **kwargs: As for mmengine's ``IterBasedTrainLoop``.
    """

    endless = True

    def run(self) -> nn.Module:
        """Go to where the run stands, and train.

        Returns:
            nn.Module: The trained model.
        """
        # mmengine then asks for each past batch, and gets None, at once.
        self._start_at(self._iter)
        if hasattr(self.dataloader_iterator, 'skip_iter'):
            # onedl-mmengine looks for a sampler of its own that can skip, and
            # warns that images of the past are read. None is.
            self.dataloader_iterator.skip_iter = self._pass_over
        return super().run()

    def _pass_over(self, count: int) -> None:
        for _ in range(count):
            next(self.dataloader_iterator)


def _has_own_statistics(model: nn.Module) -> bool:
    """Whether processes have running statistics of their own."""
    return any(
        isinstance(module, _BatchNorm)
        and not isinstance(module, nn.SyncBatchNorm)
        for module in model.modules()
    )
