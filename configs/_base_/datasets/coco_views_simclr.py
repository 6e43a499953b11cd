# COCO train2017 without labels, two views an image, augmented alike, by the
# figures of SimCLR.
_base_ = './coco_two_views.py'

colour = [
    dict(
        type='mmpretrain.RandomApply',
        transforms=[
            dict(
                type='mmpretrain.ColorJitter',
                brightness=0.8,
                contrast=0.8,
                saturation=0.8,
                hue=0.2,
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
        prob=0.5,
    ),
]
second_photometric = first_photometric

train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='CutViews',
        views=[
            dict(size=224, photometric=first_photometric),
            dict(size=224, photometric=second_photometric),
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
    batch_size=256,  # on each of 16 GPUs: 4096 in all
    dataset=dict(pipeline=train_pipeline),
)
