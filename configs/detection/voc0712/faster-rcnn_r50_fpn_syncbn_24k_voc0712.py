_base_ = [
    '../_base_/models/faster-rcnn_r50_fpn_syncbn.py',
    '../_base_/datasets/voc0712.py',
    '../_base_/schedules/schedule_24k.py',
    '../_base_/runtime.py',
]

model = dict(roi_head=dict(bbox_head=dict(num_classes=20)))
default_hooks = dict(checkpoint=dict(interval=6000))
