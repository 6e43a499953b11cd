# COCO train2017 without labels, three views an image: 224, 224 and 112.
# "We use the same set of image augmentations as in BYOL" (Sec. 4.1); the
# figures of each are BYOL's, the paper gives none.
data_preprocessor = dict(
    type='mmpretrain.SelfSupDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
)

colour = [
    dict(
        type='mmpretrain.RandomApply',
        transforms=[
            dict(
                type='mmpretrain.ColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.2,
                hue=0.1,
            )
        ],
        prob=0.8,
    ),
    dict(
        type='mmpretrain.RandomGrayscale',
        prob=0.2,
        keep_channels=True,
        channel_weights=(0.114, 0.587, 0.2989),
    ),
]
first_photometric = [
    *colour,
    dict(
        type='mmpretrain.GaussianBlur',
        magnitude_range=(0.1, 2.0),
        magnitude_std='inf',
        prob=1.0,
    ),
]
second_photometric = [
    *colour,
    dict(
        type='mmpretrain.GaussianBlur',
        magnitude_range=(0.1, 2.0),
        magnitude_std='inf',
        prob=0.1,
    ),
    dict(type='mmpretrain.Solarize', thr=128, prob=0.2),
]

large_views = [
    dict(size=224, photometric=first_photometric),
    dict(size=224, photometric=second_photometric),
]
train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='CutViews',
        views=[
            *large_views,
            # Ours: the small view is augmented as the second one; the paper
            # says only that its patch "is resized to 112 x 112".
            dict(size=112, photometric=second_photometric),
        ],
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        flip_prob=0.5,
    ),
    dict(
        type='mmpretrain.PackInputs',
        meta_keys=('sample_idx', 'img_path', 'ori_shape', 'views'),
    ),
]

train_dataloader = dict(
    batch_size=32,  # on each of 8 GPUs: 256 in all
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='UnlabelledDataset',
        data_root='data/coco/',
        data_prefix='train2017/',
        pipeline=train_pipeline,
    ),
)

# Matching accuracy on the two large views of 512 held-out images, always the
# same ones; it needs no labels. Where the folder is absent, training goes on
# without it.
val_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='CutViews',
        views=large_views,
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        flip_prob=0.5,
    ),
    dict(
        type='mmpretrain.PackInputs',
        meta_keys=('sample_idx', 'img_path', 'ori_shape', 'views'),
    ),
]
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='UnlabelledDataset',
        data_root='data/coco/',
        data_prefix='val2017/',
        indices=512,
        seed=0,
        pipeline=val_pipeline,
    ),
)
val_cfg = dict()
val_evaluator = dict(type='MatchingAccuracy')

# tools/test.py measures a checkpoint in the same way.
test_dataloader = val_dataloader
test_cfg = dict()
test_evaluator = val_evaluator
