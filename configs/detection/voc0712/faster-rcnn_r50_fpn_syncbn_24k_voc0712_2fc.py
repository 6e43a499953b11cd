# The box head of two linear layers, without norm.
_base_ = ['./faster-rcnn_r50_fpn_syncbn_24k_voc0712.py']

model = dict(
    roi_head=dict(bbox_head=dict(type='Shared2FCBBoxHead', norm_cfg=None))
)
