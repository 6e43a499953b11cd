# mmdet's Mask R-CNN C4, from the backbone of `pretrained`. mmdet ships it for
# Caffe's weights alone. Ours, and torchvision's, want RGB with mean and std,
# and the stride in the 3x3 convolution, in both parts of the network.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50-caffe-c4.py',
    'mmdet::_base_/datasets/coco_instance.py',
    '../_base_/schedules/schedule_1x.py',
    '../_base_/stock_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(style='pytorch', init_cfg=None),
    roi_head=dict(shared_head=dict(style='pytorch')),
)
