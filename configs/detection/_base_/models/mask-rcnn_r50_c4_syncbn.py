# Mask R-CNN C4, all of it trained, with SyncBN. The first three stages are the
# backbone, the fourth is the head that boxes and masks share; both come from
# the one file of `pretrained`, and only the norm behind the fourth is new.
_base_ = 'mmdet::_base_/models/mask-rcnn_r50-caffe-c4.py'

norm_cfg = dict(type='SyncBN', requires_grad=True)

model = dict(
    # RGB with mean and std, as in pre-training; mmdet's base has Caffe's BGR.
    # Padded to the largest image of a batch and no further, as in Detectron2.
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=1,
    ),
    backbone=dict(
        frozen_stages=-1,
        norm_cfg=norm_cfg,
        norm_eval=False,
        style='pytorch',  # the stride of 2 in the 3x3 convolution
        init_cfg=None,
    ),  # set from `pretrained` by PretrainedBackboneHook, and so is layer4
    roi_head=dict(
        # mmpretrain's, registered in mmdet: a norm behind the last stage.
        shared_head=dict(
            type='ResLayerExtraNorm',
            norm_cfg=norm_cfg,
            norm_eval=False,
            style='pytorch',
        )
    ),
    # As in Detectron2: anchors that reach over the image's border are kept.
    train_cfg=dict(rpn=dict(allowed_border=-1)),
)
