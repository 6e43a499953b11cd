"""Whether a checkpoint is of a model's architecture."""

from collections.abc import Mapping
from copy import deepcopy

from torch import Tensor, nn

from mmselfemd.errors import UserValueError


def misshapen(
    module: nn.Module, weights: Mapping[str, Tensor]
) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Tensors of other shapes than a module's, which it does not resize.

    A ViT resizes its position embedding to the size of its images, a Swin
    transformer its table of biases.

    Args:
        module (nn.Module): The module; left as it is.
        weights (Mapping[str, Tensor]): Tensors by name; others than the
            module's are passed over.

    Returns:
        dict[str, tuple]: By name the tensor's shape and the module's.
    """
    own = module.state_dict()
    others = [
        k for k in own if k in weights and own[k].shape != weights[k].shape
    ]
    trial = deepcopy(module) if others else module
    found = {}
    for name in others:
        try:
            trial.load_state_dict({name: weights[name]}, strict=False)
        except RuntimeError:
            found[name] = tuple(weights[name].shape), tuple(own[name].shape)
    return found


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
    weights = checkpoint.get('state_dict', checkpoint)
    weights = {
        name.removeprefix('module.'): value
        for name, value in weights.items()
        if isinstance(value, Tensor)  # else another project's wrapping
    }
    wanted = [
        name
        for name in model.state_dict()
        # Older files lack BN's batch counters, which nothing depends on.
        if name.startswith(part) and not name.endswith('num_batches_tracked')
    ]
    misfits = [
        f'{name}: {found} in the file, {own} in the model'
        for name, (found, own) in misshapen(model, weights).items()
        if name in wanted
    ]
    misfits += [
        f'{name}: missing in the file'
        for name in wanted
        if name not in weights
    ]
    misfits += [
        f'{name}: missing in the model'
        for name in weights
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
