"""Views of an image, and which of their places lie together, slowly."""

import numpy as np

# The first two overlap; the third lies apart from both.
VIEWS = [
    dict(box=(0, 0, 100, 100), flip=False, size=112),
    dict(box=(30, 10, 80, 120), flip=True, size=112),
    dict(box=(500, 500, 90, 90), flip=False, size=112),
]


def literal_partners(places, others, cell):
    """Whether places (N, 2) lie within a cell of others (M, 2): (N, M)."""
    width, height = (1.000001 * side for side in cell)
    return np.array(
        [
            [abs(x - u) <= width and abs(y - v) <= height for u, v in others]
            for x, y in places
        ]
    )
