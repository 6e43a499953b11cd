# BYOL as it was published, with two views: without the small one.
_base_ = ['./byol_r18_voc256_20e_three-views.py']

train_pipeline = {{_base_.val_pipeline}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
