"""What ``tools/train.py`` and ``tools/test.py`` do, callable from Python."""

import os
from collections.abc import Sequence

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults
from mmengine.hooks import LoggerHook
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmselfemd.datasets.data_paths import (
    check_data_paths,
    drop_absent_validation,
)
from mmselfemd.datasets.image_values import mapping_of, set_image_values
from mmselfemd.datasets.pipelines import check_colour_changes
from mmselfemd.datasets.samplers import does_not_fill
from mmselfemd.device import keep_detector_off_gpu, kept_device
from mmselfemd.errors import UserError
from mmselfemd.settings.cfg_options import merge_cfg_options, suggest
from mmselfemd.settings.config_cleanup import clean_config, name_visualizer
from mmselfemd.settings.config_file import read_config
from mmselfemd.settings.loggers import set_loggers
from mmselfemd.settings.path_settings import expand_home
from mmselfemd.zoo.conventions import check_same_values

from .cpu_distributed import CPUDistributedRunner, leave_process_group
from .gradient_checkpointing import keep_out_of_autograd
from .hooks.check_annotations_hook import check_annotations
from .model import accumulative_counts, batch_size_of
from .processes import start_process_group
from .run_settings import (
    allow_determinism,
    check_checkpoint,
    check_pretrained,
    check_work_dir,
    set_amp,
    set_auto_scale_lr,
    set_resume,
    set_show_dir,
)
from .schedule_length import drop_late_schedules


@kept_device()
def train(
    config: str,
    work_dir: str | None = None,
    amp: bool = False,
    auto_scale_lr: bool = False,
    resume: str | None = None,
    cfg_options: dict | None = None,
    launcher: str = 'none',
    loggers: Sequence[str] = (),
) -> nn.Module:
    """Train what a config describes: pre-training and detection alike.

    Args:
        config (str): Path of the config.
        work_dir (str, optional): Directory of logs and checkpoints. Defaults
            to None: the config's, or ``./work_dirs/<config name>``.
        amp (bool): Whether to train with automatic mixed precision. Without
            a GPU a line says that float32 is used. Defaults to False.
        auto_scale_lr (bool): Whether to scale the learning rate by the images
            of a step of the optimiser (batch x processes x accumulation) over
            ``auto_scale_lr.base_batch_size``. Defaults to False.
        resume (str, optional): ``'auto'``, to go on from the last checkpoint
            of ``work_dir`` if there is one, or the path of a checkpoint.
            Defaults to None.
        cfg_options (dict, optional): Settings by dotted path. Defaults to
            None.
        launcher (str): ``none``, ``pytorch``, ``slurm`` or ``mpi``. Defaults
            to ``none``.
        loggers (Sequence[str]): Where else to log to, of
            :data:`~mmselfemd.settings.loggers.LOGGERS`. Defaults to none.

    Returns:
        nn.Module: The trained model.

    Raises:
        UserError: If the arguments, the config or the annotations cannot
            work.
    """
    cfg = load_config(config, work_dir, cfg_options, launcher)
    set_loggers(cfg, loggers)
    resume = resume and os.path.expanduser(resume)
    if amp:
        set_amp(cfg)
    if auto_scale_lr:
        set_auto_scale_lr(cfg)
    for name in ('train_dataloader', 'train_cfg', 'optim_wrapper'):
        if cfg.get(name) is None:
            raise UserError(f"{config} has no '{name}': nothing to train")
    start_process_group(cfg)
    set_resume(cfg, resume)
    if cfg.get('load_from') is not None:
        check_checkpoint(cfg.load_from)
    check_pretrained(cfg)
    check_colour_changes(cfg)
    drop_absent_validation(cfg)
    check_data_paths(cfg, ['train', 'val'])
    runner = build_runner(cfg)
    check_annotations(runner, ['train', 'val', 'test'])
    check_has_batches(runner)
    model = runner.train()
    leave_process_group()
    return model


@kept_device()
def test(
    config: str,
    checkpoint: str,
    work_dir: str | None = None,
    out: str | None = None,
    show_dir: str | None = None,
    cfg_options: dict | None = None,
    launcher: str = 'none',
) -> dict[str, float]:
    """Evaluate a checkpoint on the test data of a config.

    Args:
        config (str): Path of the config.
        checkpoint (str): Path of the checkpoint.
        work_dir (str, optional): Directory of logs and metrics. Defaults to
            None: the config's, or ``./work_dirs/<config name>``.
        out (str, optional): A ``.pkl`` file for the predictions. Defaults to
            None.
        show_dir (str, optional): Directory for images with the predictions
            drawn on them (detection). Defaults to None.
        cfg_options (dict, optional): Settings by dotted path. Defaults to
            None.
        launcher (str): ``none``, ``pytorch``, ``slurm`` or ``mpi``. Defaults
            to ``none``.

    Returns:
        dict[str, float]: The metrics.

    Raises:
        UserError: If the arguments or the config cannot work.
    """
    cfg = load_config(config, work_dir, cfg_options, launcher)
    if cfg.get('test_dataloader') is None or cfg.get('test_cfg') is None:
        raise UserError(
            f"{config} has no 'test_dataloader' or no 'test_cfg': "
            'nothing to evaluate'
        )
    set_loggers(cfg, ())  # refuses what would remove data
    checkpoint = os.path.expanduser(checkpoint)
    if out is not None and not out.endswith(('.pkl', '.pickle')):
        raise UserError(f"--out {out}: the name has to end with '.pkl'")
    if show_dir is not None:
        set_show_dir(cfg, os.path.expanduser(show_dir))
    check_checkpoint(checkpoint)
    _check_same_values(cfg, checkpoint)
    cfg.load_from = checkpoint
    cfg.resume = False
    if 'pretrained' in cfg:
        cfg.pretrained = None  # all weights come from the checkpoint
    check_data_paths(cfg, ['test'])
    runner = build_runner(cfg)
    check_annotations(runner, ['test'])
    if out is not None:
        dump = _build_dump(cfg, os.path.expanduser(out))
        runner.test_evaluator.metrics.append(dump)
    if not is_main_process():
        # mmengine's writes the metrics into the same file in every process,
        # and now and then one cuts through the other.
        runner.hooks[:] = [
            hook for hook in runner.hooks if not isinstance(hook, LoggerHook)
        ]
    metrics = runner.test()
    leave_process_group()
    return metrics


def _check_same_values(cfg: Config, checkpoint: str) -> None:
    """The images of a test are read as those of the training were."""
    mapping = mapping_of(cfg, 'test')
    check_same_values(
        CheckpointLoader.load_checkpoint(checkpoint, 'cpu', logger='silent'),
        mapping.value_range,
        mapping.bands,
        checkpoint,
        is_pretrained=False,
    )


def load_config(
    config: str,
    work_dir: str | None = None,
    cfg_options: dict | None = None,
    launcher: str = 'none',
) -> Config:
    """Read a config and put the command line's settings into it.

    Args:
        config (str): Path of the config.
        work_dir (str, optional): Goes before the config's own ``work_dir``.
            Defaults to None; then, if the config has none,
            ``./work_dirs/<config name>``.
        cfg_options (dict, optional): Settings by dotted path. Defaults to
            None.
        launcher (str): What started the processes. Defaults to ``none``.

    Returns:
        Config: The config.

    Raises:
        UserError: If there is no such file, a setting names nothing, or a
            file is where ``work_dir`` is to be.
    """
    if not os.path.isfile(config):
        folder = os.path.dirname(config) or '.'
        if not os.path.isdir(folder):
            raise UserError(
                f"no such config: '{config}' (there is no folder '{folder}')"
            )
        names = [n for n in os.listdir(folder) if n.endswith('.py')]
        raise UserError(
            f"no such config: '{config}'; in '{folder}': "
            f'{suggest(os.path.basename(config), names)}'
        )
    cfg = read_config(config)
    cfg.launcher = launcher
    merge_cfg_options(cfg, cfg_options)
    set_image_values(cfg)
    clean_config(cfg)
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        name = os.path.splitext(os.path.basename(config))[0]
        cfg.work_dir = os.path.join('./work_dirs', name)
    expand_home(cfg)
    check_work_dir(cfg.work_dir)
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build the runner for a config and this host.

    Args:
        cfg (Config): A whole config.

    Returns:
        Runner: mmengine's, or the config's ``runner_type``; for several
        processes without an accelerator :class:`CPUDistributedRunner`.

    Raises:
        UserError: If ``runner_type`` is set and there is no accelerator for
            the processes of a launcher.
    """
    allow_determinism(cfg)
    keep_detector_off_gpu(cfg)
    keep_out_of_autograd()
    drop_late_schedules(cfg)
    name_visualizer(cfg)
    on_cpus = cfg.get('launcher', 'none') != 'none' and get_device() == 'cpu'
    if 'runner_type' not in cfg:
        runner = (CPUDistributedRunner if on_cpus else Runner).from_cfg(cfg)
    elif on_cpus:
        raise UserError(
            f'runner_type={cfg.runner_type!r}: without a GPU only the default '
            'runner works with a launcher; use --launcher none'
        )
    else:
        runner = RUNNERS.build(cfg)
    _scale_lr_by_step(runner)
    return runner


def check_has_batches(runner: Runner) -> None:
    """Raise if an epoch has no batch; mmengine would end without a word.

    Args:
        runner (Runner): A runner that is to train.

    Raises:
        UserError: If there are fewer images than one batch takes.
    """
    loader = runner.train_loop.dataloader
    if len(loader) == 0:
        num_images, batch_size = len(loader.dataset), batch_size_of(loader)
        raise UserError(does_not_fill(num_images, batch_size))


def _scale_lr_by_step(runner: Runner) -> None:
    # mmengine counts the images of an iteration there. Not in the config: it
    # is written down, and would be divided again when it is run again.
    scaling = getattr(runner, 'auto_scale_lr', None) or {}
    counts = accumulative_counts(runner.optim_wrapper)
    if scaling.get('enable') and counts > 1:
        meant_for = scaling['base_batch_size']
        runner.logger.info(
            f'The learning rate is meant for {meant_for} images a step: '
            f'{meant_for / counts:g} an iteration, {counts} accumulated.'
        )
        runner.auto_scale_lr = dict(
            scaling, base_batch_size=meant_for / counts
        )


def _build_dump(cfg: Config, out: str) -> DumpResults:
    if cfg.get('default_scope') == 'mmdet':
        # Encodes masks, which else take gigabytes.
        from mmdet.evaluation import DumpDetResults

        return DumpDetResults(out_file_path=out)
    return DumpResults(out_file_path=out)
