"""mmdet's reader of COCO files, that checks and mends what it reads.

mmdet 3.3's data set and evaluator both read their file through a class
``COCO``. Putting another in its place reaches every way into a run, this
project's tools and mmdet's own, and every class that derives from those two,
without a copy of the file and without a change of the config, which is
written down and compared when a run is resumed.
"""

from collections.abc import Sequence

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmdet.evaluation.metrics import coco_metric

from .content import CheckedFile, checked_file
from .kinds import WITHOUT_BOXES
from .mending import mend


class MendedCOCO(COCO):
    """Mends what can be mended; leaves other files as they are.

    Classes keep the order in which they are asked for. mmdet numbers labels
    by the answer, and names them by the question: where the order of the file
    is another, boxes would carry each other's names.

    Args:
        annotation_file (str, optional): Path of the file. Defaults to None.
    """

    # Evaluators read in the middle of runs, when nobody asks any more.
    keep = False

    def __init__(self, annotation_file: str | None = None) -> None:
        super().__init__()
        if annotation_file is None:
            return
        checked = checked_file(annotation_file, self.keep)
        self._look_at(checked)
        self.dataset = checked.take()
        if checked.table is not None and not checked.findings.stops:
            mend(self.dataset, checked.table)
        self.createIndex()
        self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs

    def _look_at(self, checked: CheckedFile) -> None:
        """Nothing: an evaluator also reads what it has written itself."""

    def get_cat_ids(
        self,
        cat_names: Sequence[str] = (),
        sup_names: Sequence[str] = (),
        cat_ids: Sequence[int] = (),
    ) -> list[int]:
        """Ids of categories, in the order of the names.

        Args:
            cat_names (Sequence[str]): Names. Defaults to (): all.
            sup_names (Sequence[str]): Their supercategories. Defaults to ().
            cat_ids (Sequence[int]): Among these. Defaults to ().

        Returns:
            list[int]: The ids.
        """
        found = super().get_cat_ids(
            list(cat_names), list(sup_names), list(cat_ids)
        )
        if not cat_names:
            return found
        order = {name: place for place, name in enumerate(cat_names)}
        return sorted(found, key=lambda i: order[self.cats[i]['name']])


class CheckedCOCO(MendedCOCO):
    """Raises where the file would fail later, or be learnt wrong.

    Raises:
        UserValueError: With all that is wrong with the file by itself.
    """

    keep = True  # for the check of the whole run

    def _look_at(self, checked: CheckedFile) -> None:
        # Whether boxes are needed, the evaluator says.
        checked.findings.without(WITHOUT_BOXES).raise_stops()


def read_with_checks(stops: bool = True) -> None:
    """Let mmdet's data sets and evaluators read by these classes.

    Data sets with a reader of their own (LVIS, panoptic) keep it.

    Args:
        stops (bool): Whether a data set whose file is wrong raises. Defaults
            to True.
    """
    CocoDataset.COCOAPI = CheckedCOCO if stops else MendedCOCO
    coco_metric.COCO = MendedCOCO
