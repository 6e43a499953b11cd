_base_ = [
    '../_base_/models/retinanet_r50_fpn_syncbn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/schedule_90k.py',
    '../_base_/runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=0.01))
