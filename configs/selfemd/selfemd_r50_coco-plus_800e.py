# Self-EMD, ResNet-50, COCO+: train2017 and unlabeled2017 (Table 1: 40.4 AP).
# The epochs are ours: the paper gives none for COCO+.
_base_ = ['./selfemd_r50_coco_800e.py']

dataset = dict(
    type='UnlabelledDataset',
    data_root='data/coco/',
    pipeline={{_base_.train_pipeline}},
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(data_prefix='train2017/', **dataset),
            dict(data_prefix='unlabeled2017/', **dataset),
        ],
    )
)
