"""One annotation file, parted into one to train and one to validate on."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mmselfemd.errors import UserValueError

from .content import checked_file
from .image_files import check_images
from .splits import digest_of


def split_annotations(
    file: Path,
    images: Path,
    val: float = 0.3,
    seed: int = 0,
    by_folder: bool = False,
) -> tuple[dict, dict]:
    """Draw images for validation, and part the file by them.

    Files of the same content come into the same part, and their folders with
    them if these are to stay together.

    Args:
        file (Path): An annotation file in COCO's format.
        images (Path): Folder that its file names are below.
        val (float): Share of the images to validate on, in (0, 1).
            Defaults to 0.3.
        seed (int): Of the draw. Defaults to 0.
        by_folder (bool): Whether the images of one folder stay together, as
            frames of one film should. Defaults to False.

    Returns:
        tuple[dict, dict]: Content to train on, and to validate on: with all
        categories, and everything else as it was.

    Raises:
        UserError: If the file cannot be used, or an image is not there.
        UserValueError: If the share is out of its range, or there are not two
            groups of images to be parted.
    """
    if not 0 < val < 1:
        raise UserValueError(
            f'--val {val:g}: expected a share of the images, above 0 and '
            'below 1'
        )
    checked = checked_file(file, keep=False)
    checked.findings.raise_stops()
    findings, keys = check_images(checked.table, str(images))
    findings.raise_stops()
    names = checked.table.file_names
    kinds = [[digest_of(keys[row][0]) for row in range(len(names))]]
    if by_folder:
        kinds.append([str(Path(name).parent) for name in names])
    is_val = draw_groups(joined(kinds), val, seed)
    content = checked.take()
    chosen = {
        image['id']
        for image, is_in in zip(content['images'], is_val, strict=True)
        if is_in
    }
    return _part(content, chosen, False), _part(content, chosen, True)


def joined(kinds: Sequence[Sequence[Hashable]]) -> np.ndarray:
    """Groups of images that have something in common, or a chain of it.

    Args:
        kinds (Sequence[Sequence[Hashable]]): What each of N images has, one
            list a kind.

    Returns:
        np.ndarray: Number of the group of each image, (N,).
    """
    num_images = len(kinds[0])
    rows, columns, num_nodes = [], [], num_images
    for values in kinds:
        numbers = {
            v: num_nodes + n for n, v in enumerate(dict.fromkeys(values))
        }
        rows += range(num_images)
        columns += [numbers[value] for value in values]
        num_nodes += len(numbers)
    links = coo_matrix(
        (np.ones(len(rows)), (rows, columns)), (num_nodes, num_nodes)
    )
    return connected_components(links, directed=False)[1][:num_images]


def draw_groups(groups: Sequence[int], share: float, seed: int) -> np.ndarray:
    """Draw whole groups until they are nearest to a share of all.

    One that would lead further away is passed over.

    Args:
        groups (Sequence[int]): The group of each image, (N,).
        share (float): In (0, 1).
        seed (int): Of the draw.

    Returns:
        np.ndarray: Whether an image was drawn, boolean, (N,). Neither none
        nor all are.

    Raises:
        UserValueError: If there is one group alone.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise UserValueError(
            'All images are of one group (a folder, or one file many times), '
            'and cannot be parted: name the two parts by hand'
        )
    sizes = np.bincount(group_of)
    wanted = share * len(group_of)
    order = np.random.default_rng(seed).permutation(len(names))
    drawn, total = [], 0
    for group in order:
        if abs(total + sizes[group] - wanted) < abs(total - wanted):
            drawn.append(group)
            total += sizes[group]
    if not drawn:
        drawn = [order[np.argmin(sizes[order])]]
    if len(drawn) == len(names):
        drawn.remove(min(drawn, key=sizes.__getitem__))
    return np.isin(group_of, drawn)


def count_boxes(content: Mapping) -> dict[str, int]:
    """How many boxes there are of each category.

    Args:
        content (Mapping): Of an annotation file that was checked.

    Returns:
        dict[str, int]: By name, in the order of the file.
    """
    counts = Counter(each['category_id'] for each in content['annotations'])
    return {each['name']: counts[each['id']] for each in content['categories']}


def _part(content: Mapping, chosen: set, is_in: bool) -> dict:
    """The images that are among the chosen ones, or those that are not."""
    return dict(
        content,
        images=[i for i in content['images'] if (i['id'] in chosen) == is_in],
        annotations=[
            a
            for a in content['annotations']
            if (a['image_id'] in chosen) == is_in
        ],
    )
