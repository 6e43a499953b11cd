"""Files as projects save them, by the names in their public code.

None of these projects is installed here: what lies where is written down from
the file of theirs that stands beside it.
"""

import argparse

import torch
from torch import nn

from mmselfemd.zoo.key_rules import LAYOUTS


def prefixed(network: nn.Module, prefix: str) -> dict:
    return {prefix + k: v for k, v in network.state_dict().items()}


def laid_out(layout: str, network: nn.Module, prefix: str = '') -> dict:
    """In the names of a layout, without the classifier."""
    weights = network.state_dict()
    names = LAYOUTS[layout].theirs(weights)
    return {
        prefix + names[name]: value
        for name, value in weights.items()
        if not name.startswith('fc.')
    }


def published_files(network: nn.Module, other: nn.Module) -> dict:
    """The files, by what they are.

    Args:
        network (nn.Module): The backbone that is to be found, of torchvision.
        other (nn.Module): One that is not: the other encoder.

    Returns:
        dict: Of each file its project, words of what it is recognised as, and
        its content.
    """
    one = torch.ones(2)
    optimizer = dict(state={0: dict(momentum_buffer=one)}, param_groups=[])
    options = argparse.Namespace(arch='resnet50')
    mlp = {'module.projector.0.weight': one, 'module.projector.1.bias': one}
    return {
        # examples/imagenet/main.py
        'imagenet': (
            'torchvision',
            'ImageNet example',
            dict(
                epoch=90,
                arch='resnet18',
                state_dict=prefixed(network, 'module.'),
                best_acc1=torch.tensor(70.0),
                optimizer=optimizer,
            ),
        ),
        'compiled': (
            'torchvision',
            "torchvision's names",
            dict(model=prefixed(network, 'module._orig_mod.')),
        ),
        # main_swav.py, src/resnet50.py; published without the wrapping
        'swav': (
            'swav',
            'SwAV',
            {
                **prefixed(network, 'module.'),
                'module.projection_head.0.weight': one,
                'module.prototypes.weight': one,
            },
        ),
        # main_deepclusterv2.py
        'deepcluster': (
            'swav',
            'DeepCluster',
            dict(
                epoch=800,
                state_dict={
                    **prefixed(network, 'module.'),
                    'module.prototypes.prototypes0.weight': one,
                },
                optimizer=optimizer,
            ),
        ),
        # main_moco.py, moco/builder.py of MoCo v3
        'mocov3': (
            'mocov3',
            'MoCo v3',
            dict(
                arch='resnet50',
                state_dict={
                    **prefixed(other, 'module.momentum_encoder.'),
                    **prefixed(network, 'module.base_encoder.'),
                    'module.predictor.0.weight': one,
                },
                optimizer=optimizer,
                scaler={},
            ),
        ),
        # main_moco.py, moco/builder.py
        'moco': (
            'moco',
            'MoCo v1 or v2',
            dict(
                epoch=200,
                arch='resnet50',
                state_dict={
                    **prefixed(network, 'module.encoder_q.'),
                    **prefixed(other, 'module.encoder_k.'),
                    'module.queue': one,
                    'module.queue_ptr': torch.zeros(1, dtype=torch.long),
                },
                optimizer=optimizer,
            ),
        ),
        # main_dino.py: both in DistributedDataParallel, for batch norm
        'dino': (
            'dino',
            'teacher',
            dict(
                student={
                    **prefixed(other, 'module.backbone.'),
                    'module.head.mlp.0.weight': one,
                },
                teacher={
                    **prefixed(network, 'module.backbone.'),
                    'module.head.mlp.0.weight': one,
                },
                optimizer=optimizer,
                epoch=800,
                args=options,
                dino_loss=dict(center=one),
            ),
        ),
        # main.py of Barlow Twins, main_vicreg.py of VICReg
        'barlowtwins': (
            'barlowtwins',
            'Barlow Twins or VICReg',
            dict(
                epoch=1000,
                model={**prefixed(network, 'module.backbone.'), **mlp},
                optimizer=optimizer,
            ),
        ),
        # vissl/utils/checkpoint.py, vissl/models/trunks/resnext.py
        'vissl': (
            'vissl',
            'VISSL',
            dict(
                type='consolidated',
                iteration=7,
                classy_state_dict=dict(
                    base_model=dict(
                        model=dict(
                            trunk={
                                name: value
                                for name, value in prefixed(
                                    network, '_feature_blocks.'
                                ).items()
                                if '.fc.' not in name
                            },
                            heads={'0.clf.0.weight': one},
                        )
                    ),
                    optimizer=dict(optim=optimizer),
                ),
            ),
        ),
        # openselfsup/models/densecl.py
        'densecl': (
            'mmpretrain',
            'DenseCL',
            dict(
                meta=dict(epoch=200),
                state_dict={
                    'queue': one,
                    **prefixed(network, 'encoder_q.0.'),
                    **prefixed(other, 'encoder_k.0.'),
                    **prefixed(network, 'backbone.'),
                },
            ),
        ),
        # contrast/models/PixPro.py, main_pretrain.py
        'pixpro': (
            'pixpro',
            'PixPro',
            dict(
                opt=options,
                model={
                    **prefixed(network, 'module.encoder.'),
                    **prefixed(other, 'module.encoder_k.'),
                    'module.projector.linear1.weight': one,
                },
            ),
        ),
        # main_pretrain.py, models/slotcon.py
        'slotcon': (
            'slotcon',
            'SlotCon, of which the teacher',
            dict(
                args=options,
                model={
                    **prefixed(other, 'module.encoder_q.'),
                    **prefixed(network, 'module.encoder_k.'),
                    'module.center': one,
                },
                epoch=800,
            ),
        ),
        'mmpretrain': (
            'mmpretrain',
            'OpenMMLab',
            dict(
                meta=dict(epoch=100),
                state_dict={
                    **prefixed(network, 'backbone.'),
                    'head.fc.weight': one,
                },
            ),
        ),
        # solo/methods/base.py: before and since 1.0.5
        **{
            f'solo-learn {prefix}': (
                'solo-learn',
                'solo-learn',
                {
                    'state_dict': {
                        **prefixed(other, f'momentum_{prefix}.'),
                        **prefixed(network, f'{prefix}.'),
                        'classifier.weight': one,
                        'projector.0.weight': one,
                    },
                    'pytorch-lightning_version': '1.6.4',
                    'hyper_parameters': dict(name='byol'),
                },
            )
            for prefix in ('encoder', 'backbone')
        },
        # detectron2/modeling/backbone/fpn.py
        'detectron2 fpn': (
            'detectron2',
            'FPN',
            dict(
                model={
                    **laid_out('detectron2', network, 'backbone.bottom_up.'),
                    'backbone.fpn_lateral2.weight': one,
                },
                __author__='torchvision',
            ),
        ),
        # detectron2/modeling/roi_heads/roi_heads.py, Res5ROIHeads
        'detectron2 c4': (
            'detectron2',
            'C4',
            dict(
                model={
                    name.replace('backbone.res5', 'roi_heads.res5'): value
                    for name, value in laid_out(
                        'detectron2', network, 'backbone.'
                    ).items()
                }
                | {'roi_heads.box_predictor.cls_score.weight': one},
                __author__='torchvision',
            ),
        ),
    }
