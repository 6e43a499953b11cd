"""Two crops of an image, and the flows between their nodes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .heat import check_centres
from .saving import check_image


@dataclass
class MatchingPair:
    """Two crops of an image and flows between their nodes.

    Attributes:
        crop1 (np.ndarray): RGB uint8 (height, width, 3), as the network saw
            it but without colour jitter.
        crop2 (np.ndarray): The other crop, likewise.
        flows (Sequence[np.ndarray]): Flows to compare, such as those of the
            untrained and of the trained network: (N1, N2) each, not negative.
        positions (Sequence[int]): Nodes of crop 1 whose flow is shown.
        centres1 (np.ndarray): Centres of the nodes' receptive fields in
            crop 1, float (N1, 2): x and y in pixels, (0, 0) being the centre
            of the first pixel. They form a grid, in any order, so those of a
            flipped crop may run from right to left.
        centres2 (np.ndarray): Those in crop 2: (N2, 2).
        targets (Sequence[tuple[float, float] | None], optional): For each
            position the place in crop 2 that shows the same, x and y in
            pixels, or None where it lies outside. Defaults to None: unknown.
        partners (np.ndarray, optional): Which nodes of crop 2 lie within one
            cell of each node of crop 1, boolean (N1, N2), see
            :func:`mmselfemd.evaluation.correspondences`. Defaults to None:
            unknown.
        others (Sequence[np.ndarray], optional): For each of ``flows`` that
            from crop 1 to the second crop of another image, (N1, N2): a
            control. Defaults to None: unknown.
    """

    crop1: np.ndarray
    crop2: np.ndarray
    flows: Sequence[np.ndarray]
    positions: Sequence[int]
    centres1: np.ndarray
    centres2: np.ndarray
    targets: Sequence[tuple[float, float] | None] | None = None
    partners: np.ndarray | None = None
    others: Sequence[np.ndarray] | None = None

    def __post_init__(self) -> None:
        check_image('crop1', self.crop1)
        check_image('crop2', self.crop2)
        self.centres1 = check_centres('centres1', self.centres1)
        self.centres2 = check_centres('centres2', self.centres2)
        shape = (len(self.centres1), len(self.centres2))
        self.flows = [_checked_flow(flow, shape) for flow in self.flows]
        for position in self.positions:
            if not 0 <= position < shape[0]:
                raise ValueError(
                    f'positions must be nodes of crop 1, from 0 '
                    f'to {shape[0] - 1}, but got {position}'
                )
        if self.targets is not None and len(self.targets) != len(
            self.positions
        ):
            raise ValueError(
                f'targets must name a place, or None, for each of the '
                f'{len(self.positions)} positions, but has '
                f'{len(self.targets)} entries'
            )
        if self.others is not None:
            self.others = [_checked_flow(flow, shape) for flow in self.others]
            if len(self.others) != len(self.flows):
                raise ValueError(
                    'others must hold one flow for each of the '
                    f'{len(self.flows)} flows, but has {len(self.others)}'
                )
        if self.partners is not None and self.partners.shape != shape:
            raise ValueError(
                f'partners must be of shape {shape}, one entry for each pair '
                f'of centres, but got {self.partners.shape}'
            )

    def verdicts(self, flow: int) -> np.ndarray:
        """Judge where the largest flow of each node goes.

        Args:
            flow (int): Which of the flows.

        Returns:
            np.ndarray: One word a node of crop 1, (N1, ): 'right' if it goes
                to a partner, 'wrong' if not, 'unknown' where the node has no
                partner or none is known.
        """
        if self.partners is None:
            return np.full(len(self.centres1), 'unknown')
        hits = self._hits(self.flows[flow])
        known = self.partners.any(1)
        return np.where(known, np.where(hits, 'right', 'wrong'), 'unknown')

    def _hits(self, flow: np.ndarray) -> np.ndarray:
        best = flow.argmax(1)[:, None]
        return np.take_along_axis(self.partners, best, 1)[:, 0]

    @property
    def chance(self) -> float:
        """Matching accuracy of a random node of crop 2, in [0, 1]."""
        return float(self.partners[self.partners.any(1)].mean())

    def describe_accuracy(self, flow: int) -> str:
        """Matching accuracy of this pair in words.

        Args:
            flow (int): Which of the flows.

        Returns:
            str: Such as '20 of 36 right (56%)'; empty where it is unknown.
        """
        verdicts = self.verdicts(flow)
        right, known = (
            (verdicts == 'right').sum(),
            (verdicts != 'unknown').sum(),
        )
        return (
            f'{right} of {known} right ({right / known:.0%})' if known else ''
        )

    def controls(self, flow: int) -> dict[str, float]:
        """What an answer without content has where a flow has its accuracy.

        Args:
            flow (int): Which of the flows.

        Returns:
            dict[str, float]: In [0, 1], by what it is of; those that are
            known.
        """
        if self.partners is None or not self.partners.any():
            return {}
        known = self.partners.any(1)
        found = {}
        if self.others is not None:
            hits = self._hits(self.others[flow])
            found['in another image'] = float(hits[known].mean())
        if len(known) == self.partners.shape[1]:
            same = self.partners.diagonal()[known]
            found['node i to node i'] = float(same.mean())
        return found | {'chance': self.chance}


def _checked_flow(flow: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    flow = np.asarray(flow, float)
    if flow.shape != shape:
        raise ValueError(
            f'flow must be of shape {shape}, one entry for each '
            f'pair of centres, but got {flow.shape}'
        )
    if not (np.isfinite(flow).all() and (flow >= 0).all()):
        raise ValueError(
            'flow must be finite and not negative, but its '
            f'entries range from {flow.min()} to {flow.max()}'
        )
    return flow
