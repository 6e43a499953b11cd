# COCO train2017 without labels, two views an image, augmented alike, by the
# figures of SimCLR.
_base_ = './coco_two_views.py'

first_photometric = [
    dict(
        type='DrawPhotometric',
        brightness=0.8,
        contrast=0.8,
        saturation=0.8,
        hue=0.2,
        jitter_prob=0.8,
        grey_prob=0.2,
        blur_sigma=(0.1, 2.0),
        blur_prob=0.5,
        solarise_prob=0.0,
    )
]
second_photometric = first_photometric

views = [
    dict(size=224, photometric=first_photometric),
    dict(size=224, photometric=second_photometric),
]
crops = dict(
    scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3), flip_prob=0.5, backend='torch'
)
train_pipeline = [
    {{_base_.load}},
    dict(type='CutViews', views=views, **crops),
    {{_base_.pack}},
]
train_dataloader = dict(
    batch_size=256,  # on each of 16 GPUs: 4096 in all
    dataset=dict(pipeline=train_pipeline),
)
