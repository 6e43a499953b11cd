"""Matching accuracy: does the flow go where the same thing is?"""

from collections.abc import Iterable, Sequence
from math import nan
from typing import NamedTuple

import numpy as np


class MatchingResult(NamedTuple):
    """How well the nodes of one view find those of another.

    Shares of the nodes of view 1 that have a corresponding node in view 2;
    NaN where unknown.

    Attributes:
        accuracy (float): The share whose largest flow goes to one.
        same_position (float): What an answer without content reaches: each
            node goes to the one at its own position on the map, whatever the
            crops and flips.
        other_image (float): The share whose largest flow would go to one if
            it were that to view 2 of another image: what positions alone,
            or what all images have in common, give the network.
        chance (float): What a random node of view 2 would reach: the mean
            share of corresponding nodes.
        best (float): What a network reaches that knows which nodes
            correspond: a flow has to respect the marginals, so that it may
            be less than one.
        num_nodes (int): How many nodes of view 1 have one.
    """

    accuracy: float
    same_position: float
    other_image: float
    chance: float
    best: float
    num_nodes: int

    @property
    def gain(self) -> float:
        """What the image itself adds: ``accuracy - other_image``."""
        return self.accuracy - self.other_image


def score_matching(
    flows: np.ndarray,
    partners: Sequence[np.ndarray],
    oracle: np.ndarray | None = None,
    others: np.ndarray | None = None,
) -> list[MatchingResult]:
    """Hold flows against the true correspondences.

    Args:
        flows (np.ndarray): Flow of each pair of views, (B, N, M).
        partners (Sequence[np.ndarray]): For each pair which nodes
            correspond, boolean, (N, M).
        oracle (np.ndarray, optional): Flows of a network that knows, from
            :func:`oracle_flow`. Defaults to None: the best possible accuracy
            stays unknown.
        others (np.ndarray, optional): Flow from each view 1 to view 2 of
            another image, (B, N, M). Defaults to None: the reading of the
            other image stays unknown.

    Returns:
        list[MatchingResult]: One a pair, for :func:`pool_results`; NaN where
        the views do not overlap, and for the same position where the views
        have not as many nodes.
    """
    results = []
    for index, truth in enumerate(partners):
        has_partner = truth.any(-1)
        num_nodes = int(has_partner.sum())
        square = truth.shape[0] == truth.shape[1]
        answers = (
            flows[index],
            np.eye(len(truth)) if square else None,
            None if others is None else others[index],
            None if oracle is None else oracle[index],
        )
        *shares, best = (_share_of_hits(each, truth) for each in answers)
        chance = float(truth[has_partner].mean()) if num_nodes else nan
        results.append(MatchingResult(*shares, chance, best, num_nodes))
    return results


def _share_of_hits(flow: np.ndarray | None, truth: np.ndarray) -> float:
    has_partner = truth.any(-1)
    if flow is None or not has_partner.any():
        return nan
    hits = truth[np.arange(len(truth)), flow.argmax(-1)]
    return float(hits[has_partner].mean())


def matching_sums(results: Iterable[MatchingResult]) -> np.ndarray:
    """What :func:`bootstrap` needs of the results of single pairs of views.

    Args:
        results (Iterable[MatchingResult]): Results of I single pairs.

    Returns:
        np.ndarray: For each pair and share its sum over the nodes, and over
        how many nodes it is, (I, 2, 5).
    """
    table = np.array([tuple(result) for result in results], float)
    shares, num_nodes = table[:, :-1], table[:, -1:]
    known = ~np.isnan(shares)
    return (
        np.stack([np.where(known, shares, 0), known], 1) * num_nodes[:, None]
    )


def matching_figures(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Shares, and the gain, of sums over pairs of views.

    Args:
        sums (np.ndarray): Sums of :func:`matching_sums`, (..., 2, 5).

    Returns:
        dict[str, np.ndarray]: ``accuracy``, ``same_position``,
        ``other_image``, ``gain``, ``chance`` and ``best``, (...) each.
    """
    with np.errstate(invalid='ignore'):  # NaN is what is unknown
        shares = np.moveaxis(sums[..., 0, :] / sums[..., 1, :], -1, 0)
    accuracy, same_position, other_image, chance, best = shares
    return dict(
        accuracy=accuracy,
        same_position=same_position,
        other_image=other_image,
        gain=accuracy - other_image,
        chance=chance,
        best=best,
    )


def pool_results(results: Iterable[MatchingResult]) -> MatchingResult:
    """The results of many pairs of views as one, over all of their nodes.

    Args:
        results (Iterable[MatchingResult]): Results of single pairs.

    Returns:
        MatchingResult: Over all nodes of all pairs that have a partner.

    Raises:
        ValueError: If no node has one: the views do not overlap.
    """
    results = list(results)
    num_nodes = sum(result.num_nodes for result in results)
    if not num_nodes:
        raise ValueError(
            'no node of view 1 has a corresponding node in view '
            '2: the views of no image overlap'
        )
    figures = matching_figures(matching_sums(results).sum(0))
    del figures['gain']
    return MatchingResult(
        **{name: float(value) for name, value in figures.items()},
        num_nodes=num_nodes,
    )
