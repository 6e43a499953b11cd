"""Which pre-training a backbone is from, as its file records it.

``meta['pretraining']`` of a backbone says of the checkpoint that it was
extracted from: ``config``, the name of its config; ``epoch`` and ``iter``,
when it was saved; ``seed``; ``settings``, what of the config decides about the
result; and ``run``, what :class:`~mmselfemd.monitors.RunRecordHook`
recorded besides: processes, batch, images. ``results_table.py`` compares them
with what the published config says.
"""

import re

from mmselfemd.settings.decisive_settings import decisive_settings

from .config_text import read_config_text

__all__ = ['WATCHING', 'read_pretraining']

#: Settings that say how a pre-training is watched, not what it gives.
WATCHING = re.compile(r'(val|test)_.*|train_cfg\.val_interval')


def read_pretraining(meta: object) -> dict:
    """Find what a checkpoint says about the run that it is from.

    Args:
        meta (object): The ``meta`` of a checkpoint, or of a backbone that was
            extracted from one. The text of the config in it is parsed and
            never executed.

    Returns:
        dict: As described above, in JSON's types, as far as it is recorded.
    """
    if not isinstance(meta, dict):
        return {}
    recorded = meta.get('pretraining')
    if isinstance(recorded, dict) and isinstance(
        recorded.get('settings'), dict
    ):
        return recorded
    settings = {
        path: value
        for path, value in decisive_settings(
            read_config_text(meta.get('cfg'))
        ).items()
        if not WATCHING.fullmatch(path)
    }
    if not settings:
        return {}
    # mmengine adds the time to the name of the config.
    name = re.sub(r'_\d{8}_\d{6}$', '', str(meta.get('experiment_name', '')))
    known = dict(config=name or None, settings=settings)
    known |= {key: meta.get(key) for key in ('epoch', 'iter', 'seed', 'run')}
    return {key: value for key, value in known.items() if value is not None}
