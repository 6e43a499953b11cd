# The two large views of coco_views.py, without the small one.
_base_ = './coco_views.py'

train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='CutViews',
        views=[
            dict(size=224, photometric={{_base_.first_photometric}}),
            dict(size=224, photometric={{_base_.second_photometric}}),
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
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
