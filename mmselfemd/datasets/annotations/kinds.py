"""The kinds of fault that annotation files have, and what to do about each."""

from typing import NamedTuple

#: The run ends before its first step: its result would be wrong.
STOP = 'stop'
#: Put right in memory; the file stays as it is.
MENDED = 'mended'
#: Told, and left as it is.
SAID = 'said'


class Kind(NamedTuple):
    """A kind of fault.

    Attributes:
        name (str): What it is called in the list that a check writes.
        level (str): ``stop``, ``mended`` or ``said``.
        what (str): What is wrong.
        advice (str): What to do, or what is done.
    """

    name: str
    level: str
    what: str
    advice: str


_FILE = (
    Kind(
        'not-json',
        STOP,
        'the file is not JSON',
        'export it again; it may be cut off',
    ),
    Kind(
        'not-coco',
        STOP,
        'the file does not have the shape of COCO: lists "images", '
        '"annotations" and "categories" of objects with the fields that '
        'each needs',
        'export it again as COCO detection or instances',
    ),
    Kind(
        'no-annotations',
        STOP,
        'there is no list "annotations"',
        'export with boxes; without them a data set can only be predicted '
        'on, by an evaluator with format_only=True',
    ),
    Kind('id-missing', STOP, 'no "id"', 'give each an integer of its own'),
    Kind(
        'id-not-integer',
        STOP,
        'an id is no integer (as text, or with a point)',
        'write ids as integers, without quotes',
    ),
    Kind(
        'id-twice',
        STOP,
        'an id is used more than once: pycocotools keeps the last one alone',
        'number them again, from 1',
    ),
    Kind(
        'image-id-unknown',
        STOP,
        'image_id of no image',
        'remove these annotations, or put their images back',
    ),
    Kind(
        'category-id-unknown',
        STOP,
        'category_id of no category',
        'add the category, or mend the number; some tools count from 0 in '
        'one place and from 1 in another',
    ),
    Kind(
        'category-twice',
        STOP,
        'several categories have the same name',
        'merge them into one id',
    ),
    Kind(
        'no-box',
        STOP,
        'no usable box in the whole file',
        'look at how it was exported; boxes that are crowd, ignored or of '
        'no class are of no use',
    ),
    Kind(
        'all-crowd',
        STOP,
        'every box is marked iscrowd=1, and no trainer learns from those',
        'export with iscrowd=0',
    ),
)
_BOXES = (
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
_IMAGES = (
    Kind(
        'file-name-missing',
        STOP,
        'no file_name',
        'export with the names of the images, or remove these entries',
    ),
    Kind(
        'file-name-absolute',
        STOP,
        'file_name is an absolute path',
        'write it relative to the folder of the images',
    ),
    Kind(
        'file-name-climbs',
        STOP,
        'file_name leads out of the folder of the images',
        'write it relative to the folder, without ".."',
    ),
    Kind(
        'file-missing',
        STOP,
        'there is no such image file',
        'put it there, or set data_prefix (--images) to the folder below '
        'which the names are',
    ),
    Kind(
        'file-name-case',
        STOP,
        'the name of the file differs in capital letters, or in how its '
        'accents are coded (a letter alone, or a letter and an accent)',
        'rename the file, or mend file_name',
    ),
    Kind(
        'file-twice',
        STOP,
        'two images of the list are the same file',
        'move their annotations to one of them',
    ),
    Kind(
        'image-size-missing',
        STOP,
        'width or height is missing or no positive integer',
        'write the size in pixels',
    ),
    Kind(
        'image-unreadable',
        STOP,
        'the image file does not decode',
        'replace it, or remove it from the list',
    ),
    Kind(
        'size-differs',
        STOP,
        'width and height are not those of the image as it decodes',
        'if they are swapped, it is a photograph that a phone turned: label '
        'it as it is shown, or take the rotation out of the file',
    ),
    Kind(
        'image-without-box',
        SAID,
        'images without a box',
        'nothing, if they show none of the classes; '
        'filter_cfg.filter_empty_gt leaves them out of training',
    ),
    Kind(
        'image-too-small',
        SAID,
        'images smaller than filter_cfg.min_size, which are left out',
        'set filter_cfg.min_size if they are wanted',
    ),
)
_CLASSES = (
    Kind(
        'classes-string',
        STOP,
        'classes is a text, or something else that is no list of names',
        "write metainfo=dict(classes=('name',)), with the comma",
    ),
    Kind(
        'class-twice',
        STOP,
        'a class is named twice',
        'name each once',
    ),
    Kind(
        'class-unknown',
        STOP,
        'the file has no category of this name',
        "write metainfo=dict(classes=(...)) of the data set with the file's "
        'names',
    ),
    Kind(
        'category-unnamed',
        STOP,
        'a category with boxes is not among the classes: its objects would '
        'be background',
        'add it to metainfo.classes, or say that it is to be left out: '
        'default_hooks.annotations.left_out=[NAME]',
    ),
    Kind(
        'num-classes',
        STOP,
        'num_classes is not the number of classes',
        'set it, in every head',
    ),
    Kind(
        'classes-differ',
        STOP,
        'classes are not those of training, or in another order: labels '
        'would stand for other names',
        'give all data sets the same classes',
    ),
    Kind(
        'class-order',
        MENDED,
        "classes are in another order than the file's categories: in mmdet "
        "boxes would carry each other's names",
        'numbered in the order of classes',
    ),
    Kind(
        'class-rare',
        SAID,
        'fewer than 20 boxes of a class',
        'more of them, or little trust in its figures',
    ),
)
_SPLITS = (
    Kind(
        'image-in-train',
        STOP,
        'a photograph of validation or test is in training too',
        'take it out of one of the two; files are compared byte by byte',
    ),
    Kind(
        'name-in-train',
        SAID,
        'training lists images of the same name, and the files are not '
        'here to compare',
        'look whether they are the same photographs',
    ),
    Kind(
        'evaluator-other-file',
        STOP,
        'the evaluator reads other images than the data set has',
        "set ann_file of the evaluator to the data set's",
    ),
    Kind(
        'not-checked',
        SAID,
        'annotations of another format than COCO, or not on this disk',
        'they are used as they are',
    ),
)

#: What a data set without boxes may have, if it is only predicted on.
WITHOUT_BOXES = ('no-annotations', 'no-box', 'all-crowd')

#: Every kind, by name.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (*_FILE, *_BOXES, *_IMAGES, *_CLASSES, *_SPLITS)
}
