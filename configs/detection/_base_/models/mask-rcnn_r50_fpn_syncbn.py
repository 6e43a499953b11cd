# Mask R-CNN with FPN, all of it trained, with SyncBN in backbone and FPN. The
# heads are Detectron2's, without norm: the paper's supervised row is MoCo's
# to the decimal, and MoCo has no norm there.
_base_ = ['mmdet::_base_/models/mask-rcnn_r50_fpn.py', './protocol.py']

model = dict(
    data_preprocessor={{_base_.rgb_pixels}},
    backbone={{_base_.trained_backbone}},
    neck={{_base_.trained_fpn}},
    roi_head=dict(bbox_head=dict(init_cfg={{_base_.box_head_init}})),
    # As in Detectron2; mmdet's base differs for masks alone.
    train_cfg=dict(rcnn=dict(assigner=dict(match_low_quality=False))),
)
