# Montages of the objects of COCO train2017, 224 x 224: "Cheaper Pre-training
# Lunch", Sec. 3.1, 3.2 and 4.1.
data_preprocessor = dict(
    type='mmpretrain.SelfSupDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
    non_blocking=True,
)

sample_pipeline = [
    dict(type='LoadImage'),
    dict(type='CropSample'),
    dict(type='RandomScale', scale_range=(0.8, 1.5)),
    dict(type='RandomFlip', prob=0.5),
]
pack = dict(type='mmpretrain.PackInputs', meta_keys=('sample_idx', 'regions'))
train_pipeline = [
    dict(type='StitchMontage', size=224, corner=64),  # ours, the corner
    pack,
]

train_dataloader = dict(
    batch_size=64,  # on each of 8 GPUs: 512 montages, 2048 samples
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='MontageDataset',
        dataset=dict(
            type='ObjectDataset',
            data_root='data/coco/',
            ann_file='annotations/instances_train2017.json',
            data_prefix=dict(img='train2017/'),
            context=1.0,  # a side grows to its double at the most
            min_size=8,  # ours
            background=0.1,  # "the ratio of positive to negative is 10:1"
            pipeline=sample_pipeline,
        ),
        pipeline=train_pipeline,
    ),
)
