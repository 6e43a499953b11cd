# Trained on VOC 2007 and 2012 trainval, tested on VOC 2007 test. The sizes
# are MoCo's in Detectron2: the short side drawn from 480, 512, ..., 800 (the
# long one at most 1333), flipped with probability 0.5; 800 at test.
_base_ = 'mmdet::_base_/datasets/voc0712.py'

data_root = 'data/VOCdevkit/'

train_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomChoiceResize',
        scales=[(1333, side) for side in range(480, 801, 32)],
        keep_ratio=True,
    ),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=(
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
            'instances',  # the COCO evaluator takes its ground truth from it
        ),
    ),
]

# 8 GPUs x 2 images = 16. mmdet repeats the set three times an epoch, and
# ignores boxes of less than 32 pixels; neither is done here.
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        ignore_keys=['dataset_type'],
        datasets=[
            dict(
                type='VOCDataset',
                data_root=data_root,
                ann_file=f'VOC{year}/ImageSets/Main/trainval.txt',
                data_prefix=dict(sub_data_root=f'VOC{year}/'),
                filter_cfg=dict(filter_empty_gt=True, min_size=32),
                pipeline=train_pipeline,
                backend_args=None,
            )
            for year in (2007, 2012)
        ],
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

# Two evaluators, whose names are in their figures:
# pascal_voc/AP50   VOC's own, 11 points of recall; pascal_voc/mAP is the mean
#                   over ten thresholds, which Detectron2 reports as AP
# coco/bbox_mAP     COCO's, 101 points
val_evaluator = [
    dict(
        type='VOCMetric',
        metric='mAP',
        eval_mode='11points',
        iou_thrs=[0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95],
    ),
    dict(type='CocoMetric', metric='bbox'),
]
test_evaluator = val_evaluator
