"""Optimal transport between two sets of weighted nodes (Eq. 3-13).

Plain tensors in, plain tensors out; nothing here knows about images or
networks, and nothing but torch is imported; POT where an exact solution is
asked for.
"""

from .convergence import ConvergenceWarning
from .cost import cosine_cost
from .emd import emd_similarity
from .exact import ExactPlan, exact_transport
from .marginals import (
    mean_marginals,
    normalise_marginals,
    uniform_marginals,
    vector_marginals,
)
from .sinkhorn import TransportPlan, sinkhorn

__all__ = [
    'ConvergenceWarning',
    'ExactPlan',
    'TransportPlan',
    'cosine_cost',
    'emd_similarity',
    'exact_transport',
    'mean_marginals',
    'normalise_marginals',
    'sinkhorn',
    'uniform_marginals',
    'vector_marginals',
]
