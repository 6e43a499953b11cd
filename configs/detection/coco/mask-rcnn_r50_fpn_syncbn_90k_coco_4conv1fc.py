# SyncBN in the heads too: a box head of four convolutions and one linear
# layer, and a norm behind the convolutions of the mask head, as in
# Detectron2's mask_rcnn_R_50_FPN_3x_syncbn.yaml.
_base_ = ['./mask-rcnn_r50_fpn_syncbn_90k_coco.py']

norm_cfg = dict(type='SyncBN', requires_grad=True)

model = dict(
    roi_head=dict(
        bbox_head=dict(
            type='Shared4Conv1FCBBoxHead',
            conv_out_channels=256,
            norm_cfg=norm_cfg,
        ),
        mask_head=dict(norm_cfg=norm_cfg),
    )
)
