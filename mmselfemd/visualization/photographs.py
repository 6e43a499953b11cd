"""Matches on one's own photographs: files in, pictures out."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from mmselfemd.datasets.image_values import mapping_of
from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.errors import UserError, UserValueError
from mmselfemd.evaluation import match_batch

from .all_positions import draw_all_positions
from .flow_lines import draw_flow_lines, headline
from .image_files import find_images, skip_image, unique_names
from .matched_crops import MatchingPair
from .matching import draw_matching_figure
from .networks import build_networks
from .overlapping_crops import Crops, OverlappingCrops, collate_crops
from .page import Picture, files_of
from .pairs import matching_pair_of_crops, read_rgb
from .saving import save_figure
from .view_pipeline import view_pipeline, without_colour_changes

# Pairs that share the statistics of batch norm: as many as the images of a
# batch of the published recipe on one GPU.
_BATCH_SIZE = 32


def visualize_matching(
    cfg: Config,
    images: Sequence[str],
    out: str,
    checkpoint: str | None = None,
    num_positions: int | None = 2,
    num_pairs: int = 1,
    seed: int = 0,
    html: bool = False,
) -> list[Path]:
    """Draw, for each image, where the flow between two of its crops goes.

    The flow is that of matching accuracy: between the maps of the query
    backbone, with uniform marginals and the batch's statistics in its norms.
    A batch holds 32 pairs of crops; where the images give fewer, further
    pairs of them are cut for the statistics and not shown.

    Args:
        cfg (Config): Config of a pre-training run: backbone, preprocessor,
            and how views are cut. Colours are not changed.
        images (Sequence[str]): Image files, and folders of them.
        out (str): Folder of the pictures.
        checkpoint (str, optional): See :func:`build_networks`. Defaults to
            None: only the untrained network is drawn.
        num_positions (int, optional): Positions with a heat map, at the
            most. Defaults to 2. None: every node.
        num_pairs (int): Pairs of crops of each image. Defaults to 1.
        seed (int): Of the crops and of the untrained weights. Defaults to 0.
        html (bool): Whether to write ``index.html`` too. Defaults to False.

    Returns:
        list[Path]: The files written.

    Raises:
        UserError: If an argument does not fit, or nothing could be drawn.
    """
    for name, value in {
        'num_positions (--positions)': num_positions,
        'num_pairs (--num-pairs)': num_pairs,
    }.items():
        if value is not None and value < 1:
            raise UserValueError(f'{name}: expected at least 1, got {value}')
    cutter = OverlappingCrops(without_colour_changes(view_pipeline(cfg)), seed)
    preprocessor, networks = build_networks(cfg, checkpoint, seed)
    paths = list(find_images(images))
    names, start = unique_names(paths), time.time()
    pictures: list[Picture] = []
    size = max(1, _BATCH_SIZE // num_pairs)
    for first in range(0, len(paths), size):
        crops = _cut(
            cutter, paths[first : first + size], num_pairs, mapping_of(cfg)
        )
        for one, flows, others in _match(crops, preprocessor, networks):
            pair = matching_pair_of_crops(
                one.crops, one.views, flows, num_positions, others
            )
            number = f'_pair{one.number + 1}' if num_pairs > 1 else ''
            pictures += _draw_pair(
                pair,
                list(networks),
                Path(out),
                names[one.path] + number,
                num_positions is None,
            )
        done = min(first + size, len(paths))
        left = (time.time() - start) / done * (len(paths) - done)
        print_log(f'{done} of {len(paths)} images, {left:.0f} s left')
    if not pictures:
        raise UserError(
            'Nothing was drawn: no image could be read and cut, see above.'
        )
    return files_of(pictures, out, 'Matches', html)


def _cut(
    cutter: OverlappingCrops,
    paths: Sequence[Path],
    num_pairs: int,
    mapping: ValueMapping,
) -> list[Crops]:
    """Pairs to show, first, and as many more as a batch lacks."""
    shown: list[Crops] = []
    good: list[Path] = []
    read = partial(read_rgb, mapping=mapping)
    for path in paths:
        try:
            shown += cutter(path, read(path), num_pairs)
            good.append(path)
        except (OSError, ValueError) as error:
            skip_image(path, str(error))
    lacking = _BATCH_SIZE - len(shown)
    if not good or lacking <= 0:
        return shown
    each = num_pairs + -(-lacking // len(good))
    spare: list[Crops] = []
    for path in good:
        # A pair that is not shown may fail where the shown ones did not: the
        # statistics are then of fewer.
        with suppress(OSError, ValueError):
            spare += cutter(path, read(path), each)[num_pairs:]
    return shown + [one._replace(is_shown=False) for one in spare[:lacking]]


def _match(
    crops: Sequence[Crops],
    preprocessor: nn.Module,
    networks: Mapping[str, nn.Module],
) -> Iterator[tuple[Crops, list[np.ndarray], list[np.ndarray] | None]]:
    """Each pair that is shown, with its flows (N, N) in each network.

    They are those to its second crop and, where there is one, to the second
    crop of another image.
    """
    shown = [one for one in crops if one.is_shown]
    if not shown:
        return
    batch = collate_crops(crops)
    next_ones = [_next_image(crops, number) for number in range(len(crops))]
    matched = [
        match_batch(network, preprocessor, batch, others=next_ones)
        for network in networks.values()
    ]
    for index, one in enumerate(shown):  # they come first
        has_other = next_ones[index] != index
        yield (
            one,
            [each.flows[index] for each in matched],
            [each.others[index] for each in matched] if has_other else None,
        )


def _next_image(crops: Sequence[Crops], number: int) -> int:
    """Number of the next pair of another image; its own if all are of one."""
    following = (*range(number, len(crops)), *range(number))
    paths = {index: crops[index].path for index in following}
    return next(
        (i for i, path in paths.items() if path != crops[number].path), number
    )


def _draw_pair(
    pair: MatchingPair,
    titles: Sequence[str],
    out: Path,
    name: str,
    every_position: bool,
) -> list[Picture]:
    """Heat maps and lines of one pair of crops."""
    figures: dict[str, tuple[str, Figure]] = {}
    if every_position:
        figures['all'] = 'heat of every node', draw_all_positions(pair, titles)
    else:
        figures['heat'] = (
            'heat of chosen positions',
            draw_matching_figure([pair], titles),
        )
    figures['lines'] = 'flow as lines', draw_flow_lines([pair], titles)
    accuracy = '; '.join(
        headline(pair, flow, title).replace('\n', ', ')
        for flow, title in enumerate(titles)
    )
    pictures = []
    for kind, (what, figure) in figures.items():
        path = save_figure(figure, out / f'{name}_{kind}.png', dpi=100)
        print_log(str(path))
        alt = f'Two crops of {name}, {what}. Matching accuracy {accuracy}.'
        pictures.append(Picture(path, f'{name}: {what}', alt))
    return pictures
