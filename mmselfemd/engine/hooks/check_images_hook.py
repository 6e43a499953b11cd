"""Stops a run whose images would come in nearly black, before it trains."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmselfemd.datasets.image_values import (
    check_image_values,
    check_input_channels,
    check_settings_arrived,
    loading_of,
)
from mmselfemd.engine.processes import decided_by_first
from mmselfemd.registry import HOOKS


@HOOKS.register_module()
class CheckImagesHook(Hook):
    """Looks at some training images, and at the settings that they need.

    Of each data set 16 images are looked at, always the same ones. The run
    stops where they have more than 8 bits, of which they use less than a
    quarter, and ``value_range`` is not set; where their bands are no colours
    and ``bands`` is not set, or names one that an image lacks; where most
    values lie outside ``value_range``; where none can be read; and where the
    config's ``value_range`` or ``bands`` has not reached a pipeline, be it of
    validation or testing, or the backbone is not for three channels. Images
    of a database or a server are not looked at. A resumed run goes on as it
    began. To train on the images whatever they are:
    ``default_hooks.check_images=None``.
    """

    # Ahead of those that copy images.
    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Look at the images, in the first process.

        Raises:
            UserError: If a setting is missing or does not fit.
        """
        check_input_channels(runner.cfg)
        for dataset, load in loading_of(runner.train_dataloader.dataset):
            check_settings_arrived(load, runner.cfg)
            if runner.iter == 0 and len(dataset):
                decided_by_first(check_image_values, dataset, load)
        if runner.val_loop is not None:
            self._check_arrived(runner, runner.val_dataloader, 'validation')

    def before_test(self, runner: Runner) -> None:
        """Look at what the images are read by.

        Raises:
            UserError: If a setting has not reached the pipeline.
        """
        self._check_arrived(runner, runner.test_dataloader, 'test')

    def _check_arrived(
        self, runner: Runner, loader: DataLoader, images: str
    ) -> None:
        for _, load in loading_of(loader.dataset):
            check_settings_arrived(load, runner.cfg, images)
