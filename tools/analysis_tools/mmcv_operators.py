"""What one build of mmcv holds and computes; benchmark_mmcv_build.py's part.

Run by name, in a process of its own for each build, with that build first on
the path. It writes the operators' names and some results into a file.
"""

import argparse
import inspect
from collections.abc import Callable
from pathlib import Path

import mmcv._ext
import torch
from mmcv.ops import (
    deform_conv2d,
    modulated_deform_conv2d,
    nms,
    roi_align,
    sigmoid_focal_loss,
    softmax_focal_loss,
)
from torch import Tensor


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path)
    return parser.parse_args()


def names() -> list[str]:
    """The operators, each with what it takes, as it says itself."""
    return sorted(
        inspect.getdoc(operator) or name
        for name, operator in vars(mmcv._ext).items()
        if callable(operator)
    )


def with_gradients(operator: Callable, *inputs: Tensor) -> list[Tensor]:
    """The output, and the gradients of its sum of squares."""
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    output = operator(*inputs)
    return [output, *torch.autograd.grad(output.square().sum(), wanted)]


def results(device: str) -> dict[str, list[Tensor] | str]:
    """What operators of mmdet's detectors make of the same random inputs.

    Args:
        device (str): Where they run.

    Returns:
        dict: By operator its outputs and gradients, or, for one that is not
        made for the device, what it says.
    """
    draw = torch.Generator().manual_seed(0)

    def normal(*size: int) -> Tensor:
        values = torch.randn(*size, generator=draw).to(device)
        return values.requires_grad_()

    corners = torch.rand(200, 2, generator=draw) * 30
    sizes = torch.rand(200, 2, generator=draw) * 20 + 1
    boxes = torch.cat([corners, corners + sizes], 1).to(device)
    rois = torch.cat([boxes.new_zeros(200, 1), boxes], 1)
    scores = torch.rand(200, generator=draw).to(device)
    labels = torch.randint(5, (200,), generator=draw).to(device)
    maps, weight = normal(1, 4, 32, 32), normal(6, 4, 3, 3)
    offset, mask = normal(1, 18, 32, 32), normal(1, 9, 32, 32)
    logits = normal(200, 5)

    def aligned(mode: str) -> Callable:
        return lambda x: roi_align(x, rois, (7, 7), 0.5, 2, mode, True)

    trials = {
        'nms': lambda: list(nms(boxes, scores, 0.5)),
        'roi_align, avg': lambda: with_gradients(aligned('avg'), maps),
        'roi_align, max': lambda: with_gradients(aligned('max'), maps),
        'deform_conv': lambda: with_gradients(
            lambda *x: deform_conv2d(*x, 1, 1), maps, offset, weight
        ),
        'modulated_deform_conv': lambda: with_gradients(
            lambda *x: modulated_deform_conv2d(*x, None, 1, 1),
            *(maps, offset, mask, weight),
        ),
        'sigmoid_focal_loss': lambda: with_gradients(
            lambda x: sigmoid_focal_loss(x, labels), logits
        ),
        'softmax_focal_loss': lambda: with_gradients(
            lambda x: softmax_focal_loss(x, labels), logits
        ),
    }
    return {name: attempt(trial) for name, trial in trials.items()}


def attempt(trial: Callable[[], list[Tensor]]) -> list[Tensor] | str:
    """The results on the CPU, or the first line of why there are none."""
    try:
        return [tensor.detach().cpu() for tensor in trial()]
    except RuntimeError as error:
        return str(error).splitlines()[0]


def main() -> None:
    """Write the names and the results."""
    args = parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.save(
        dict(file=mmcv.__file__, names=names(), results=results(device)),
        args.out,
    )


if __name__ == '__main__':
    main()
