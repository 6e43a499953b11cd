# Faster R-CNN with FPN on a few thousand small photographs, fine-tuned from
# selfemd_r18_voc256_20e.py, to see in an hour on 2 cores that a detector
# learns from it. Size and schedule are ours: its figures compare with nothing
# but themselves.
_base_ = ['../detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py']

pretrained = 'work_dirs/selfemd_r18_voc256_20e/backbone.pth'

data_root = 'data/voc07_256/'
metainfo = dict(
    classes=(
        'aeroplane',
        'bicycle',
        'bird',
        'boat',
        'bottle',
        'bus',
        'car',
        'cat',
        'chair',
        'cow',
        'diningtable',
        'dog',
        'horse',
        'motorbike',
        'person',
        'pottedplant',
        'sheep',
        'sofa',
        'train',
        'tvmonitor',
    )
)

channels = 64
# As in pre-training, whose last stage has no stride: C4 and C5 are of stride
# 16 both, and P6, every second node of P5, of 32.
model = dict(
    backbone=dict(depth=18, base_channels=16, strides=(1, 2, 2, 1)),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=channels),
    rpn_head=dict(
        in_channels=channels,
        feat_channels=channels,
        # Objects of 16 to 256 pixels, twice as large from level to level.
        anchor_generator=dict(
            strides=[4, 8, 16, 16, 32],
            base_sizes=[4, 8, 16, 32, 64],
            scales=[4],
        ),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(
            out_channels=channels, featmap_strides=[4, 8, 16, 16]
        ),
        bbox_head=dict(
            type='Shared2FCBBoxHead',
            in_channels=channels,
            fc_out_channels=256,
            num_classes=20,
        ),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=200),
        rcnn=dict(sampler=dict(num=128)),
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
    dict(type='Resize', scale=(256, 256), keep_ratio=True),
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
dataset = dict(
    data_root=data_root, metainfo=metainfo, data_prefix=dict(img='images/')
)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        ann_file='annotations/instances_train3000.json',
        pipeline=train_pipeline,
        **dataset,
    ),
)
val_dataloader = dict(
    batch_size=8,
    dataset=dict(
        ann_file='annotations/instances_val1952.json',
        pipeline=test_pipeline,
        **dataset,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'annotations/instances_val1952.json')
test_evaluator = val_evaluator

max_iters = 3000  # 8 epochs
train_cfg = dict(max_iters=max_iters, val_interval=500)
param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=100
    ),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=max_iters,
        milestones=[2000, 2700],
        gamma=0.1,
    ),
]
optim_wrapper = dict(optimizer=dict(lr=0.04))
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(interval=500, max_keep_ckpts=1),
    precise_bn=dict(num_images=400),
)
auto_scale_lr = dict(base_batch_size=8)
randomness = dict(seed=0)
