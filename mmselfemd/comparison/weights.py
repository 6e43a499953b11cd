"""Whether what a detector is to begin with fits it, before it is trained."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmselfemd.datasets.image_values import mapping_of
from mmselfemd.engine.hooks import PretrainedBackboneHook
from mmselfemd.errors import UserError, UserFileNotFoundError, UserValueError
from mmselfemd.zoo.frozen_backbone import build_untrained
from mmselfemd.zoo.import_backbone import import_backbone
from mmselfemd.zoo.pixels import IMAGE_VALUES
from mmselfemd.zoo.sources import PROJECTS

from .candidates import Candidate


class Detector:
    """A detector that backbones are held against.

    Args:
        cfg (Config): Its config.

    Attributes:
        num_bytes (int): What a checkpoint of it takes on the disk, with the
            momentum of SGD.
    """

    def __init__(self, cfg: Config) -> None:
        self.mapping = mapping_of(cfg)
        with quietly(), DefaultScope.overwrite_default_scope('mmdet'):
            self.model = revert_sync_batchnorm(MODELS.build(cfg.model))
        self.num_bytes = checkpoint_bytes(self.model)

    def check_pretraining(self, cfg: Config, name: str) -> int:
        """Raise unless the backbone of a pre-training fits.

        Args:
            cfg (Config): Config of the pre-training.
            name (str): Of the candidate.

        Returns:
            int: What a checkpoint of it takes on the disk, in bytes.

        Raises:
            UserValueError: With what does not fit.
        """
        with quietly():
            model = build_untrained(cfg)
        weights = {
            f'backbone.{key}': value
            for key, value in model.backbone.state_dict().items()
        }
        # Only what tells pixels and strides: the whole takes a second.
        names = ('data_preprocessor', 'model', 'train_dataloader')
        names += IMAGE_VALUES
        part = Config({name: cfg[name] for name in names if name in cfg})
        checkpoint = dict(state_dict=weights, meta=dict(cfg=part.pretty_text))
        self._compare(checkpoint, f'what {name} pre-trains ({cfg.filename})')
        return checkpoint_bytes(model)

    def find_weights(self, candidate: Candidate, folder: Path) -> str:
        """Weights that the user names, as the detector can load them.

        A file with the detector's own names is taken as it is. Another one is
        imported, as that of the project whose names it has, or of the one
        that is given: ``PROJECT:FILE``.

        Args:
            candidate (Candidate): One with ``weights``.
            folder (Path): Where a file goes that has to be imported.

        Returns:
            str: A path, or an address as it was given.

        Raises:
            UserError: If there is no such file, or it does not fit.
        """
        project, file = locate_weights(candidate)
        out = folder / f'{candidate.name}.pth'
        if project:
            self._import(file, out, project)
            return str(out)
        try:
            self._compare(_load(file), file)
            return file
        except UserError as error:
            reason = str(error)
        try:
            self._import(file, out)
        except UserError as error:
            if str(error) == reason:  # nothing was read at all
                raise UserValueError(f'{candidate.name}: {reason}') from error
            raise UserValueError(
                f'{candidate.name}: {reason} Nor does it as the file of '
                f'another project: {error}'
            ) from error
        return str(out)

    def _import(
        self, file: str, out: Path, project: str | None = None
    ) -> None:
        import_backbone(file, out, project, force=True)
        self._compare(_load(str(out)), file)

    def _compare(self, checkpoint: dict, source: str) -> None:
        PretrainedBackboneHook().compare(
            self.model, checkpoint, source, [self.mapping]
        )


def split_weights(weights: str) -> tuple[str, str]:
    """Whose file the user says weights are, and where it is.

    Args:
        weights (str): A path or address, or ``PROJECT:`` and that.

    Returns:
        tuple[str, str]: A key of
        :data:`~mmselfemd.zoo.sources.PROJECTS`, or ''; and an absolute
        path, or the address.
    """
    project, colon, file = weights.partition(':')
    if not (colon and project in PROJECTS and not file.startswith('//')):
        project, file = '', weights
    if '://' not in file:
        file = str(Path(file).expanduser().resolve())
    return project, file


def locate_weights(candidate: Candidate) -> tuple[str, str]:
    """See :func:`split_weights`; a file has to be there.

    Args:
        candidate (Candidate): One with ``weights``.

    Returns:
        tuple[str, str]: The project, or '', and the path or address.

    Raises:
        UserFileNotFoundError: If there is no such file.
    """
    project, file = split_weights(candidate.weights)
    if '://' not in file and not Path(file).is_file():
        raise UserFileNotFoundError(
            f"{candidate.name}: there is no file '{file}'"
        )
    return project, file


def checkpoint_bytes(model: nn.Module) -> int:
    """What a checkpoint takes on the disk, with the momentum of SGD.

    Args:
        model (nn.Module): What is trained.

    Returns:
        int: Bytes.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    return sum(
        value.numel() * value.element_size()
        for value in (*model.state_dict().values(), *trained)
    )


def _load(file: str) -> dict:
    if file.endswith('.pkl'):
        raise UserValueError(f'{file} is no checkpoint of PyTorch.')
    return CheckpointLoader.load_checkpoint(
        file, map_location='cpu', logger='silent'
    )


@contextmanager
def quietly() -> Iterator[None]:
    """Keep to oneself how each weight is initialised."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
