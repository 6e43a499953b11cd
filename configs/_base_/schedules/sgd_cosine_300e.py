# As on COCO, for 300 epochs: the paper's schedule for ImageNet. That the
# optimiser is the same there is ours; the text gives it for COCO alone.
_base_ = './sgd_cosine_800e.py'

train_cfg = dict(max_epochs=300)
