"""Transport runs in float32 at least, whatever the autocast."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def full_precision(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run a function outside autocast, on float32 or float64 tensors.

    Under bfloat16 or float16 autocast ``bmm``, ``exp`` and ``logsumexp`` lose
    the marginals, so half-precision tensor arguments are raised to float32;
    float64 is kept. TF32, which torch does not use unless it is told to
    (``torch.backends.cuda.matmul.allow_tf32``), rounds the cosines to some
    1e-3 all the same.

    Args:
        function (Callable): A function of tensors and plain values.

    Returns:
        Callable: The same function in full precision.
    """

    def raised(value: Any) -> Any:
        is_half = isinstance(value, Tensor) and value.dtype in (
            torch.float16,
            torch.bfloat16,
        )
        return value.float() if is_half else value

    @wraps(function)
    def wrapper(*args, **kwargs):
        device = next(
            arg.device.type
            for arg in (*args, *kwargs.values())
            if isinstance(arg, Tensor)
        )
        with torch.autocast(device, enabled=False):
            return function(
                *map(raised, args), **{k: raised(v) for k, v in kwargs.items()}
            )

    return wrapper
