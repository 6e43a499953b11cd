# Mask R-CNN C4, all of it trained, with SyncBN. The first three stages are the
# backbone, the fourth is the head that boxes and masks share; both come from
# the one file of `pretrained`, and only the norm behind the fourth is new.
_base_ = ['mmdet::_base_/models/mask-rcnn_r50-caffe-c4.py', './protocol.py']

model = dict(
    # mmdet's base has Caffe's BGR. Padded to the largest image of a batch and
    # no further, as in Detectron2.
    data_preprocessor=dict(
        mean={{_base_.rgb_pixels.mean}},
        std={{_base_.rgb_pixels.std}},
        bgr_to_rgb=True,
        pad_size_divisor=1,
    ),
    backbone={{_base_.trained_backbone}},
    roi_head=dict(
        # mmpretrain's, registered in mmdet: a norm behind the last stage.
        shared_head=dict(
            type='ResLayerExtraNorm',
            norm_cfg={{_base_.syncbn}},
            norm_eval=False,
            style='pytorch',
        )
    ),
    # As in Detectron2: anchors that reach over the image's border are kept.
    train_cfg=dict(rpn=dict(allowed_border=-1)),
)
