"""Checkpoints whose weights are plain, and whose training state is not.

mmengine 0.10.7 pickles its message hub as objects with bound functions,
Lightning the hyper-parameters of a run, and lightly-train its networks.
"""

import logging

from mmengine.logging import print_log

from .described_pickle import Builder
from .refusal import Refusal

__all__ = ['build_checkpoint']

# What only a resume needs.
_TRAINING_STATE = (
    # mmengine/runner/runner.py, save_checkpoint
    *('message_hub', 'optimizer', 'param_schedulers'),
    # lightning/pytorch/trainer/connectors/checkpoint_connector.py,
    # dump_checkpoint
    *('callbacks', 'loops', 'optimizer_states', 'lr_schedulers'),
    *('hyper_parameters', 'datamodule_hyper_parameters'),
    # lightly_train/_checkpoint.py: its networks as objects, beside their
    # weights
    'lightly_train',
)


def build_checkpoint(
    builder: Builder, described: object, source: str
) -> object:
    """Build a checkpoint, without its training state if that is refused.

    Args:
        builder (Builder): Builds what may be read.
        described (object): The value of a ``Description``.
        source (str): The file, for the warning.

    Returns:
        object: The checkpoint. Where a part of its training state is refused,
        the whole of it is left out: without the message hub mmengine resumes
        nothing.

    Raises:
        Refusal: If another part of it is refused.
    """
    if type(described) is not dict or 'state_dict' not in described:
        return builder.build(described)
    parts = {True: {}, False: {}}
    for key, value in described.items():
        parts[key in _TRAINING_STATE][key] = value
    built = builder.build(parts[False])
    try:  # last: what it is refused in the middle of is in no other part
        return {**built, **builder.build(parts[True])}
    except Refusal as error:
        print_log(
            f'{source}: its training state ({", ".join(parts[True])}) is left '
            f'out, for it holds {error}. The weights are read; no run can '
            'resume from this file.',
            logger='current',
            level=logging.WARNING,
        )
        return built
