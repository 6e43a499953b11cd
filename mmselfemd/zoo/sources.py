"""Whose files a backbone can be imported from: one row a kind of file.

A file is recognised by the first row that fits: whose place in the file holds
tensors, whose marks are among their names, and whose names, renamed, begin a
network (its first convolution, and the one of its first block).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .key_rules import LAYOUTS, Layout

__all__ = ['PROJECTS', 'SOURCES', 'Source']

#: What PyTorch puts before all names: ``torch.compile`` and
#: ``DistributedDataParallel``. They are seen through.
_WRAPPERS = ('_orig_mod.', 'module.')

#: The first two convolutions of a network, by which one is recognised.
_BEGINNINGS = (
    {'conv1.weight', 'layer1.0.conv1.weight'},
    {'conv1.conv.weight', 'layer1.0.conv.0.conv.weight'},  # MobileNetV2
)

Path = tuple[str, ...]
_USUAL: tuple[Path, ...] = (('state_dict',), ('model',), ())


@dataclass(frozen=True)
class Source:
    """A kind of file that a project publishes or saves.

    Attributes:
        project (str): The project, as the tools take it. It may have several
            kinds of files.
        title (str): What the file is, for the user.
        prefixes (tuple[str]): What stands before the backbone's names; more
            than one where it lies in parts.
        layout (str): Its key in :data:`~mmselfemd.zoo.key_rules.LAYOUTS`.
        under (tuple[tuple[str]]): The keys under which the tensors lie in the
            file; the first place that has tensors counts.
        marks (tuple[str]): With one of these at least one name begins, after
            PyTorch's wrappers. None: nothing is asked.
        convention (str or dict, optional): The key of
            :data:`~mmselfemd.zoo.pixels.CONVENTIONS` that holds for its
            weights, or one for each type of network. None where that depends
            on the file.
        refused (str): Why such a file is refused, although its names and
            shapes fit. Empty where it is not.
    """

    project: str
    title: str
    prefixes: tuple[str, ...] = ('',)
    layout: str = 'mmpretrain'
    under: tuple[Path, ...] = _USUAL
    marks: tuple[str, ...] = ()
    convention: str | dict[str, str] | None = 'torchvision'
    refused: str = ''

    @property
    def names(self) -> Layout:
        """The names of the backbone's tensors."""
        return LAYOUTS[self.layout]

    def ours(self, names: Iterable[str]) -> dict[str, str]:
        """Rename what may belong to the backbone.

        Args:
            names (Iterable[str]): The names in a file.

        Returns:
            dict[str, str]: Their names and ours, if the file is of this kind;
            none if it is not.
        """
        bare = _unwrapped(names)
        if self.marks and not any(
            name.startswith(self.marks) for name in bare.values()
        ):
            return {}
        theirs = {
            name: inner.removeprefix(prefix)
            for prefix in self.prefixes
            for name, inner in bare.items()
            if inner.startswith(prefix)
        }
        begins = any(
            set(self.names.theirs(first).values()) <= set(theirs.values())
            for first in _BEGINNINGS
        )
        if not begins:
            return {}
        return {name: self.names.ours(inner) for name, inner in theirs.items()}


def _unwrapped(names: Iterable[str]) -> dict[str, str]:
    """Each name, and what is left of it without PyTorch's wrappers."""
    bare = {name: name for name in names}
    # In both orders: twice through both.
    for wrapper in _WRAPPERS * 2:
        if bare and all(name.startswith(wrapper) for name in bare.values()):
            bare = {
                name: inner.removeprefix(wrapper)
                for name, inner in bare.items()
            }
    return bare


#: The rows, the more particular ones first. Each says in which file of the
#: project's the names are to be seen.
SOURCES: tuple[Source, ...] = (
    # detectron2/checkpoint/c2_model_loading.py. Of these, the ResNets are
    # MSRA's and the ResNeXts FAIR's (MODEL_ZOO.md, "ImageNet Pretrained
    # Models").
    Source(
        'detectron2',
        "Detectron2's or Detectron's ImageNet weights (Caffe2 names)",
        layout='caffe2',
        under=(('blobs',), ('model',), ()),
        marks=('res2_0_branch2a_w',),
        convention=dict(ResNet='msra', ResNeXt='fair'),
    ),
    # detectron2/modeling/backbone/fpn.py, `bottom_up`.
    Source(
        'detectron2',
        'a detector of Detectron2 with FPN',
        ('backbone.bottom_up.',),
        'detectron2',
        convention=None,
    ),
    # detectron2/modeling/roi_heads/roi_heads.py, Res5ROIHeads.
    Source(
        'detectron2',
        'a C4 detector of Detectron2',
        ('backbone.', 'roi_heads.'),
        'detectron2',
        marks=('roi_heads.res5.',),
        convention=None,
    ),
    # What its converters from PyTorch write; a DC5 detector would have
    # `backbone.`, and other strides.
    Source(
        'detectron2',
        "a backbone in Detectron2's names",
        layout='detectron2',
        convention=None,
    ),
    # transformers/models/resnet/modeling_resnet.py: with a classifier, and
    # ResNetModel and ResNetBackbone.
    Source(
        'transformers',
        "transformers' ResNet with a classifier",
        ('resnet.',),
        'transformers',
    ),
    Source('transformers', "transformers' ResNet", layout='transformers'),
    # torchvision/models/detection/backbone_utils.py: `body`.
    Source('torchvision', "a detector of torchvision's", ('backbone.body.',)),
    # torchvision/models/segmentation: dilated, and not as mmdet dilates.
    Source(
        'torchvision',
        "a segmentation network of torchvision's",
        ('backbone.',),
        marks=('classifier.0.convs.', 'classifier.4.', 'aux_classifier.'),
        refused='its last two stages have dilation in the place of their '
        "strides (replace_stride_with_dilation), in torchvision's own way: "
        'the first block of a stage has the dilation of the one before. No '
        'backbone of mmdet has that.',
    ),
    # vissl/models/trunks/resnext.py; vissl/utils/checkpoint.py.
    Source(
        'vissl',
        'a checkpoint of VISSL',
        ('_feature_blocks.',),
        under=(('classy_state_dict', 'base_model', 'model', 'trunk'), ()),
    ),
    # main_dino.py saves both; eval_linear.py takes the teacher
    # (--checkpoint_key).
    Source(
        'dino',
        'a full checkpoint of DINO, of which the teacher is taken',
        ('backbone.',),
        under=(('teacher',),),
    ),
    # main_moco.py of MoCo v3; main_lincls.py takes the base encoder.
    Source('mocov3', 'a checkpoint of MoCo v3', ('base_encoder.',)),
    # SlotCon's transfer/detection/convert_pretrain_to_d2.py takes the key
    # encoder, the teacher.
    Source(
        'slotcon',
        'a checkpoint of SlotCon, of which the teacher is taken',
        ('encoder_k.',),
        marks=('grouping_q.', 'grouping_k.', 'center'),
    ),
    # detection/convert-pretrain-to-detectron2.py takes the query encoder.
    Source('moco', 'a checkpoint of MoCo v1 or v2', ('encoder_q.',)),
    # solo/methods/base.py: `encoder` up to 1.0.4, `backbone` since; the
    # classifier is trained beside.
    Source(
        'solo-learn',
        'a checkpoint of solo-learn',
        ('backbone.',),
        under=(('state_dict',),),
        marks=('classifier.weight',),
    ),
    Source(
        'solo-learn',
        'a checkpoint of solo-learn',
        ('encoder.',),
        under=(('state_dict',),),
        marks=('classifier.weight',),
    ),
    # transfer/detection/convert_pretrain_to_d2.py.
    Source('pixpro', 'a checkpoint of PixPro', ('encoder.',)),
    # lightly_train/_methods, _models/torchvision/resnet.py,
    # _models/timm/timm.py; what it exports is
    # the teacher of DINO, and the student of a distillation.
    *(
        Source(
            'lightly-train',
            f'a checkpoint of lightly-train{which}',
            tuple(
                f'{name}.wrapped_model.{part}.'
                for part in ('_features', '_model')  # torchvision, timm
            ),
            under=(('state_dict',),),
        )
        for name, which in (
            ('teacher_embedding_model', ', of which the teacher is taken'),
            ('student_embedding_model', ', of which the student is taken'),
            ('embedding_model', ''),
        )
    ),
    # The examples of lightly: a Sequential of torchvision's children; DINO's
    # has a student and a teacher.
    Source(
        'lightly',
        'a checkpoint of lightly, of which the teacher is taken',
        ('teacher_backbone.',),
        'sequential',
    ),
    Source('lightly', 'a checkpoint of lightly', ('backbone.',), 'sequential'),
    Source(
        'lightly',
        "torchvision's ResNet as a Sequential, as lightly's examples have it",
        layout='sequential',
    ),
    # main.py of Barlow Twins, main_vicreg.py of VICReg.
    Source(
        'barlowtwins',
        'a full checkpoint of Barlow Twins or VICReg',
        ('backbone.',),
        under=(('model',),),
        marks=('projector.',),
    ),
    # `backbone.` of every network of OpenMMLab; of DenseCL's whole checkpoint
    # its tools/extract_backbone_weights.py takes the same.
    Source(
        'mmpretrain',
        "a checkpoint of OpenMMLab's projects or of DenseCL (`backbone.`)",
        ('backbone.',),
        under=(('state_dict',), ()),
    ),
    Source(
        'mmpretrain',
        "a MobileNetV2 of mmpretrain's",
        marks=('conv1.conv.weight',),
    ),
    # main_swav.py and main_deepclusterv2.py: src/resnet50.py.
    Source(
        'swav',
        'a checkpoint of SwAV or DeepCluster v2',
        marks=('projection_head.', 'prototypes.'),
    ),
    # torchvision.models; timm.models.resnet; examples/imagenet/main.py; and
    # the backbones that DINO, Barlow Twins, VICReg, DenseCL and lightly-train
    # publish or export.
    Source(
        'torchvision',
        "a backbone in torchvision's names, which are also timm's, those of "
        "PyTorch's ImageNet example, and what DINO, Barlow Twins, VICReg, "
        'DenseCL and lightly-train export',
        layout='torchvision',
    ),
    # Where --from or a config.json says so.
    Source('timm', "a network of timm's", layout='timm'),
    Source('mmpretrain', "a backbone in OpenMMLab's names"),
    Source('densecl', 'a checkpoint of DenseCL', ('backbone.',)),
    Source('densecl', 'a backbone of DenseCL'),
)

#: The projects, by the names that the tools take.
PROJECTS: tuple[str, ...] = tuple(
    dict.fromkeys(source.project for source in SOURCES)
)
