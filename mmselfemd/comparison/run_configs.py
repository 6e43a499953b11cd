"""The configs of all runs of a comparison, from those that they follow."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

from mmselfemd.atomic_file import atomic_write
from mmselfemd.engine.launch import load_config
from mmselfemd.engine.run_settings import set_auto_scale_lr
from mmselfemd.errors import UserError, UserFileExistsError, UserValueError
from mmselfemd.settings.run_length import (
    TooFewImagesError,
    counts_epochs,
    iterations_in_epoch,
)

from .candidates import Candidate, is_of_a_recipe
from .configs import (
    detector_config,
    labels_node,
    learns_from_boxes,
    montage_config,
    pretraining_config,
    smallest_side,
)
from .data import Data, Labels
from .layout import Configs, check_names, config_file, pretraining_name
from .plan import data_file, has_begun
from .settings import Settings, digest

#: How a complaint about an option begins.
_OPTION = '--cfg-options'
_HINTS = dict(
    pretrain='. These options are for all that is pre-trained; what is for '
    'one alone goes into a config of your own: --pretrain NAME=CONFIG',
    detector='',
)


class RunConfigs:
    """Reads the configs that were asked for once, and builds those of runs.

    Args:
        settings (Settings): What was asked for.
        work_dir (Path): Folder of the comparison.
    """

    def __init__(self, settings: Settings, work_dir: Path) -> None:
        self.settings = settings
        self.work_dir = work_dir
        self._loaded: dict[str | Path, Config] = {}

    def learns_from_boxes(self, candidate: Candidate) -> bool:
        """Whether the pre-training of a candidate takes boxes.

        Args:
            candidate (Candidate): Any.

        Returns:
            bool: False if there is none.
        """
        return candidate.config is not None and learns_from_boxes(
            self._load(candidate.config, 'pretrain')
        )

    def build(
        self,
        candidates: Sequence[Candidate],
        data: Data,
        subsets: Mapping[float, Labels],
        pretraining: int,
        detector: int,
    ) -> Configs:
        """All configs, for runs of so many iterations.

        Args:
            candidates (Sequence[Candidate]): What is compared.
            data (Data): The photographs and boxes.
            subsets (Mapping[float, Labels]): Labelled images of each share.
            pretraining (int): Iterations of a pre-training.
            detector (int): Of a detector.

        Returns:
            Configs: Those of pre-training, then those of the detectors.

        Raises:
            UserError: If one that was asked for cannot be followed.
        """
        check_names(candidates, list(subsets))
        configs: Configs = {}
        for candidate in candidates:
            for fraction, subset in subsets.items():
                name = pretraining_name(candidate, fraction)
                if candidate.config is not None and name not in configs:
                    configs[name] = self._pretraining(
                        candidate, data, fraction, subset, pretraining
                    )
        val = data_file(self.work_dir, 'val.json'), data.val.folder
        for fraction, subset in subsets.items():
            base = self._load(self.settings.detector, 'detector')
            with _option_named('detector'):
                num_images = num_learnt_from(base, subset.content)
                cfg = detector_config(
                    base,
                    self._labels(fraction, subset),
                    val,
                    data.classes,
                    num_images,
                    detector,
                    self.settings.evaluations,
                )
            configs[fraction] = cfg, num_images
        return configs

    def _pretraining(
        self,
        candidate: Candidate,
        data: Data,
        fraction: float,
        subset: Labels,
        iterations: int,
    ) -> tuple[Config, int]:
        base = self._load(candidate.config, 'pretrain')
        num_images = len(data.unlabelled)
        if candidate.learns_from_boxes:
            _check_boxes(candidate, fraction, subset, smallest_side(base))
            # An epoch is as long as that of the others; a step, if it has to
            # do without them.
            counts = base.optim_wrapper.get('accumulative_counts', 1)
            step = base.train_dataloader.batch_size * counts
            num_images = max(num_images, step)
            labels = self._labels(fraction, subset)
            return montage_config(
                base, labels, data.classes, num_images, iterations
            ), num_images
        names = data_file(self.work_dir, 'unlabelled.txt')
        with _option_named('pretrain'):
            cfg = pretraining_config(
                base, data.images, names, num_images, iterations
            )
        return cfg, num_images

    def _labels(self, fraction: float, subset: Labels) -> tuple[Path, Path]:
        file = data_file(self.work_dir, f'train_{fraction:g}.json')
        return file, subset.folder

    def _load(self, path: str | Path, kind: str) -> Config:
        """A config with the options of its kind, read once."""
        if path not in self._loaded:
            options = getattr(self.settings, f'{kind}_options')
            try:
                cfg = load_config(str(path), cfg_options=options)
            except UserError as error:
                if not str(error).startswith(_OPTION):
                    raise
                text = str(error).removeprefix(_OPTION)
                text = f'--{kind}-options{text} ({Path(path).name})'
                raise UserValueError(text + _HINTS[kind]) from error
            if is_of_a_recipe(path) and not _says_its_rate(options):
                set_auto_scale_lr(cfg)
            self._loaded[path] = cfg
        return self._loaded[path]


def num_learnt_from(cfg: Config, content: Mapping) -> int:
    """Images of an epoch of a detector, as mmdet's data sets leave some out.

    Args:
        cfg (Config): Its config.
        content (Mapping): Of the annotation file, whose categories are its
            classes.

    Returns:
        int: Those with a box, if ``filter_empty_gt`` says so, and of at least
        ``min_size`` pixels each way.
    """
    node = labels_node(cfg, 'train_dataloader')
    rule = node.get('filter_cfg') or {}
    with_box = {each['image_id'] for each in content['annotations']}
    return sum(
        min(image['width'], image['height']) >= rule.get('min_size', 0)
        and (image['id'] in with_box or not rule.get('filter_empty_gt'))
        for image in content['images']
    )


def _says_its_rate(options: Mapping) -> bool:
    """Whether the learning rate is to be taken as it stands."""
    return any(
        key.startswith(('auto_scale_lr', 'optim_wrapper.optimizer.lr'))
        for key in options
    )


@contextmanager
def _option_named(kind: str) -> Iterator[None]:
    """Say by which option the settings of an error can be typed."""
    try:
        yield
    except TooFewImagesError as error:
        raise UserValueError(f'{error}, by --{kind}-options') from error


def longest_epoch(configs: Configs) -> int:
    """What a pre-training takes at least, of those that take whole epochs.

    Args:
        configs (Configs): The configs.

    Returns:
        int: Iterations, at least 1.
    """
    return max(
        (
            iterations_in_epoch(cfg, num_images)
            for name, (cfg, num_images) in configs.items()
            if isinstance(name, str) and counts_epochs(cfg)
        ),
        default=1,
    )


def digests_of(work_dir: Path, configs: Configs) -> dict[str, str]:
    """What tells configs of other content apart.

    Args:
        work_dir (Path): Folder of the comparison.
        configs (Configs): The configs.

    Returns:
        dict[str, str]: By name of the file.
    """
    return {
        config_file(work_dir, name).name: digest(
            json.dumps(cfg.to_dict(), default=repr)
        )
        for name, (cfg, _) in configs.items()
    }


def write_configs(
    work_dir: Path, configs: Configs, former: Mapping | None
) -> dict[str, str]:
    """Write the configs, or see that they are those that runs have.

    Args:
        work_dir (Path): Folder of the comparison.
        configs (Configs): The configs.
        former (Mapping, optional): Record of the same comparison, if there
            is one.

    Returns:
        dict[str, str]: :func:`digests_of` them.

    Raises:
        UserFileExistsError: If runs have begun with others.
    """
    digests = digests_of(work_dir, configs)
    for name, (cfg, _) in configs.items():
        path = config_file(work_dir, name)
        if former and former['configs'].get(path.name) == digests[path.name]:
            continue  # the text takes a second to format
        if has_begun(work_dir):
            raise UserFileExistsError(
                f'{path}: the comparison has begun with this config, and '
                f'what it follows ({cfg.filename}) has been changed. '
                'Change it back, or begin another one: --work-dir DIR'
            )
        with atomic_write(path) as file:
            file.write(cfg.pretty_text.encode())
    return digests


def _check_boxes(
    candidate: Candidate, fraction: float, subset: Labels, smallest: float
) -> None:
    """Raise now, not when the runs before it are done."""
    if not any(
        min(box['bbox'][2:]) >= smallest
        and not (box.get('iscrowd') or box.get('ignore'))
        for box in subset.content['annotations']
    ):
        raise UserValueError(
            f'--fractions {fraction:g}: {candidate.name} learns from boxes of '
            f'at least {smallest:g} pixels a side (min_size), and the '
            f'{subset.num_images} images that were drawn have none; take a '
            'larger share'
        )
