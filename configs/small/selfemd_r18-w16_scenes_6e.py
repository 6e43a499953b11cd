# The one model that this project gives away: the demo's network (a ResNet-18
# of a quarter of the usual width: w16, 16 channels where it has 64), trained
# for longer on more synthetic scenes, which are the project's own. It is there
# to try the way of weights with, and no backbone for photographs
# (docs/weights.md). The schedule is ours.
#
#   python tools/demo.py --pretraining \
#     configs/small/selfemd_r18-w16_scenes_6e.py --num-scenes 1920 \
#     --scenes-dir data/scenes --work-dir work_dirs/scenes_0 --seed 0
_base_ = ['../demo/selfemd_r18_scenes.py']

train_dataloader = dict(dataset=dict(data_root='data/scenes/'))
# All that the demo draws beside 1920 for training.
val_dataloader = dict(dataset=dict(data_root='data/scenes/', indices=384))
test_dataloader = val_dataloader

default_hooks = dict(
    checkpoint=dict(interval=1, max_keep_ckpts=1),
    momentum_update=dict(base_momentum=0.99),
)
train_cfg = dict(max_epochs=6, val_interval=6)
