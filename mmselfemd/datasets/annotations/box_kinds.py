"""The kinds of fault that boxes and masks have."""

from .kind import MENDED, SAID, STOP, Kind

#: What may be wrong with a box, its area, its mask or its iscrowd.
BOX_KINDS = (
    Kind(
        'box-shape',
        STOP,
        'bbox is not a list of four numbers',
        'write [x, y, width, height], in pixels',
    ),
    Kind(
        'box-not-finite',
        STOP,
        'bbox holds NaN or infinity',
        'mend or remove these annotations',
    ),
    Kind(
        'box-size',
        STOP,
        'bbox of no or negative width or height',
        'write [x, y, width, height] with positive sides, or remove it',
    ),
    Kind(
        'box-size-few',
        SAID,
        'bbox without area, in fewer than one of 10,000 (COCO has two)',
        'nothing: mmdet leaves them out',
    ),
    Kind(
        'box-outside',
        STOP,
        'bbox wholly outside its image',
        'look whether width and height are those of the right image',
    ),
    Kind(
        'boxes-normalised',
        STOP,
        'all boxes, or many, lie within [0, 1]',
        'multiply these by width and height: COCO counts in pixels',
    ),
    Kind(
        'boxes-corners',
        STOP,
        'the boxes are evidently x1 y1 x2 y2: as width and height they '
        'stick out of the images, as corners they all lie within',
        'write [x1, y1, x2 - x1, y2 - y1]',
    ),
    Kind(
        'boxes-centred',
        STOP,
        'the boxes are evidently centre, width and height: with x and y as '
        'their corner they stick out of the images, as their centre they all '
        'lie within',
        'write [x - width / 2, y - height / 2, width, height]',
    ),
    Kind(
        'box-partly-outside',
        MENDED,
        'bbox partly outside its image, by more than a pixel',
        'cut off at the border',
    ),
    Kind(
        'annotation-id-zero',
        MENDED,
        'annotation id 0, which pycocotools counts as never found',
        'the highest id in use, plus 1',
    ),
    Kind(
        'iscrowd-missing',
        MENDED,
        'no iscrowd, without which pycocotools ends the first validation',
        'taken as 0',
    ),
    Kind(
        'iscrowd-value',
        STOP,
        'iscrowd is neither 0 nor 1',
        'write 0 for an object, 1 for a group',
    ),
    Kind(
        'area-missing',
        MENDED,
        'no area, or none above 0; mmdet fails, or leaves the box out',
        'width x height of bbox',
    ),
    Kind(
        'area-senseless',
        SAID,
        'area is larger than bbox, or a share of something: AP of small, '
        'medium and large objects goes by it',
        'write that of the mask, or width x height of bbox, in pixels',
    ),
    Kind(
        'box-twice',
        SAID,
        'the same box of the same class more than once in an image',
        'remove the copies; some tools repeat a box for every image '
        'without one',
    ),
    Kind(
        'box-under-pixel',
        SAID,
        'bbox narrower or lower than a pixel',
        'nothing: mmdet leaves them out',
    ),
    Kind(
        'box-small',
        SAID,
        'bbox with a side of less than 8 pixels after resizing',
        'larger images in the pipeline, or none of these boxes',
    ),
    Kind(
        'crowd-simple',
        SAID,
        'many boxes are crowd though their masks have one or two parts; no '
        'trainer learns from crowd boxes',
        'if they are objects, export them with iscrowd=0: some tools write '
        'every mask, or every object in two parts, as a crowd',
    ),
    Kind(
        'crowd-lost',
        SAID,
        'not marked iscrowd=1, though numbered or drawn as COCO does its '
        'crowds',
        'set iscrowd=1: some tools turn crowds into objects',
    ),
    Kind(
        'mask-missing',
        STOP,
        'no segmentation, and the pipeline loads masks',
        'export with masks, or train a detector of boxes alone',
    ),
    Kind(
        'mask-broken',
        STOP,
        'segmentation is neither polygons [[x1, y1, x2, y2, x3, y3, ...]] '
        "nor an RLE with the image's size [height, width] and runs that "
        'fill it',
        'export these again, or remove them',
    ),
    Kind(
        'mask-rle',
        STOP,
        'segmentation is an RLE, and the pipeline leaves out all but polygons',
        'set poly2mask=True in LoadAnnotations of the pipeline',
    ),
)
