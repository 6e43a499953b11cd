"""Whether a checkpoint is of a model's architecture."""

from torch import Tensor, nn

from mmselfemd.errors import UserValueError


def check_fits(
    model: nn.Module, checkpoint: dict, source: str, part: str = ''
) -> None:
    """Raise if a checkpoint is of another architecture than a model.

    mmengine loads what fits and logs the rest as a warning, so that a run
    would go on, or be evaluated, with weights that are partly random.

    Args:
        model (nn.Module): The model.
        checkpoint (dict): A checkpoint with ``state_dict``, or a bare one.
        source (str): Where it came from, for the error.
        part (str): Only names that begin so are compared, such as
            ``backbone.``. Defaults to '': the whole model.

    Raises:
        UserValueError: If the model has a tensor that the checkpoint lacks
            or has in another shape, or if the checkpoint's backbone has one
            that the model lacks (a deeper network, which would be cut).
    """
    found = checkpoint.get('state_dict', checkpoint)
    found = {
        name.removeprefix('module.'): tuple(value.shape)
        for name, value in found.items()
        if isinstance(value, Tensor)  # else another project's wrapping
    }
    wanted = {
        name: tuple(value.shape)
        for name, value in model.state_dict().items()
        # Older files lack BN's batch counters, which nothing depends on.
        if name.startswith(part) and not name.endswith('num_batches_tracked')
    }
    misfits = [
        f'{name}: {found[name]} in the file, {shape} in the model'
        if name in found
        else f'{name}: missing in the file'
        for name, shape in wanted.items()
        if found.get(name) != shape
    ]
    misfits += [
        f'{name}: missing in the model'
        for name in found
        if name.startswith('backbone.')
        and name not in wanted
        and not name.endswith('num_batches_tracked')
    ]
    if misfits:
        raise UserValueError(
            f'{source} is of another architecture than {type(model).__name__} '
            f'of this config: {len(misfits)} tensors do not fit, first '
            f'{misfits[0]}. Use the config that the checkpoint was trained '
            'with.'
        )
