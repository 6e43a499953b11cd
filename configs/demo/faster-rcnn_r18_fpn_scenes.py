# Faster R-CNN with FPN in miniature, for `make demo`: the backbone of
# selfemd_r18_scenes.py on synthetic scenes, in minutes on a CPU.
_base_ = ['../detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py']

# Where tools/demo.py puts what it extracts.
pretrained = 'work_dirs/demo/backbone.pth'

data_root = 'data/demo_scenes/'
metainfo = dict(
    classes=(
        'disc',
        'ring',
        'star',
        'cross',
        'triangle',
        'crescent',
        'flower',
        'bottle',
    )
)

channels = 64
model = dict(
    backbone=dict(depth=18, base_channels=16),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=channels),
    rpn_head=dict(
        in_channels=channels,
        feat_channels=channels,
        anchor_generator=dict(scales=[4]),
    ),  # objects of 16 to 150 pixels
    roi_head=dict(
        # Two points a bin, where mmdet's default takes as many as there are
        # pixels, which was a third of a step on a CPU.
        bbox_roi_extractor=dict(
            roi_layer=dict(sampling_ratio=2), out_channels=channels
        ),
        bbox_head=dict(
            type='Shared2FCBBoxHead',
            in_channels=channels,
            fc_out_channels=128,
            num_classes=8,
        ),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=200),
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=200)),
)

train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='Resize', scale=(320, 240), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=(
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
        ),
    ),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        data_root=data_root, metainfo=metainfo, pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(
        data_root=data_root, metainfo=metainfo, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/instances_val2017.json')
test_evaluator = val_evaluator

max_iters = 180
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=20),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=max_iters,
        milestones=[150, 170],
        gamma=0.1,
    ),
]
optim_wrapper = dict(optimizer=dict(lr=0.04))
auto_scale_lr = dict(base_batch_size=8)  # what the rate is meant for
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=max_iters, max_keep_ckpts=1),
    precise_bn=dict(num_images=160),
)
randomness = dict(seed=0)
