# The box head of two linear layers, without norm.
_base_ = ['./faster-rcnn_r50_fpn_syncbn_90k_coco.py']

model = dict(
    roi_head=dict(bbox_head=dict(type='Shared2FCBBoxHead', norm_cfg=None))
)
