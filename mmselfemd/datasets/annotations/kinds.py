"""The kinds of fault that annotation files have, and what to do about each."""

from .box_kinds import BOX_KINDS
from .kind import MENDED, SAID, STOP, Kind

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
    for kind in (*_FILE, *BOX_KINDS, *_IMAGES, *_CLASSES, *_SPLITS)
}
