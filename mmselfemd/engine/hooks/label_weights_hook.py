"""Measures the effective receptive field at times, for Montage's labels."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmselfemd.engine.model import unwrap_model
from mmselfemd.errors import UserValueError
from mmselfemd.plurals import counted
from mmselfemd.registry import HOOKS


@HOOKS.register_module()
class LabelWeightsHook(Hook):
    """Weights the labels of Montage by the network as it is now.

    "Cheaper Pre-training Lunch", Sec. 3.3: the weights of the soft labels are
    updated every 5,000 iterations instead of each, so that they cost next to
    nothing. Ours: the first time is before the first iteration; the field is
    the mean over some montages of the batch that follows.

    Args:
        interval (int): Iterations from one time to the next.
            Defaults to 5000.
        num_images (int): Montages of a batch, in each process, that the field
            is measured on, or all if there are fewer. Defaults to 32.

    Raises:
        ValueError: If one of them is not positive.
    """

    def __init__(self, interval: int = 5000, num_images: int = 32) -> None:
        if interval < 1 or num_images < 1:
            raise ValueError(
                'interval and num_images must be positive, but got '
                f'{interval} and {num_images}'
            )
        self.interval = interval
        self.num_images = num_images

    def before_train(self, runner: Runner) -> None:
        """Claim the model; check that it has the classes of the data.

        Raises:
            TypeError: If the model's labels have no weights.
            UserValueError: If the numbers of classes differ.
        """
        model = unwrap_model(runner.model)
        if not hasattr(model, 'update_label_weights'):
            raise TypeError(
                'LabelWeightsHook needs a model whose labels have weights, '
                f'such as Montage, but got {type(model).__name__}'
            )
        metainfo = getattr(runner.train_dataloader.dataset, 'metainfo', {})
        classes = metainfo.get('classes')
        if classes is not None and len(classes) != model.head.num_classes:
            raise UserValueError(
                f'model.head.num_classes is {model.head.num_classes}, for '
                f'{counted(len(classes), "class")}: {", ".join(classes)}. '
                'Background is not counted. Set --cfg-options '
                f'model.head.num_classes={len(classes)}'
            )
        model.has_weights_hook = True

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Measure, if it is time."""
        if runner.iter % self.interval:
            return
        model = unwrap_model(runner.model)
        batch = model.data_preprocessor(data_batch)
        number = self.num_images
        model.update_label_weights(
            batch['inputs'][:number], batch['data_samples'][:number]
        )
