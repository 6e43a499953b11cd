# As on COCO, for 300 epochs: the paper's schedule for ImageNet. That the
# optimiser is the same there is ours; the text gives it for COCO alone.
_base_ = './sgd_cosine_800e.py'

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,
        by_epoch=True,
        begin=0,
        end=4,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        eta_min=0.0,
        by_epoch=True,
        begin=4,
        end=300,
        T_max=296,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=300)
