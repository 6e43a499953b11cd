# coco_views.py with the colours changed on the host, image by image, by
# mmpretrain's transforms, and whole images cut by Pillow, as in mmpretrain's
# BYOL: to compare with. docs/input.md says what differs, by how much.
_base_ = './coco_views.py'

data_preprocessor = dict(
    _delete_=True,
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

load = dict(type='LoadImage')
crops = dict(scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3), flip_prob=0.5)
pack = dict(
    type='mmpretrain.PackInputs',
    meta_keys=('sample_idx', 'img_path', 'ori_shape', 'views'),
)

large_views = [
    dict(size=224, photometric=first_photometric),
    dict(size=224, photometric=second_photometric),
]
small_view = dict(size=112, photometric=second_photometric)
train_pipeline = [
    load,
    dict(type='CutViews', views=[*large_views, small_view], **crops),
    pack,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

val_pipeline = [load, dict(type='CutViews', views=large_views, **crops), pack]
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
