# mmdet's Mask R-CNN as it is, from the backbone of `pretrained`.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    'mmdet::_base_/datasets/coco_instance.py',
    '../_base_/schedules/schedule_1x.py',
    '../_base_/stock_runtime.py',
]

model = dict(backbone=dict(init_cfg=None))
