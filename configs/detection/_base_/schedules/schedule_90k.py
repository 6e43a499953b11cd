# The paper: 90k iterations. The rest is ours, as in Detectron2's 1x schedule,
# by which MoCo is transferred: 16 images an iteration, learning rate 0.02
# divided by 10 at 60k and 80k, warm-up over 1000 iterations from a thousandth.
max_iters = 90000

train_cfg = dict(
    type='mmselfemd.ReproducibleIterBasedTrainLoop',
    max_iters=max_iters,
    val_interval=10000,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=1000
    ),
    dict(
        type='MultiStepLR',
        by_epoch=False,
        begin=0,
        end=max_iters,
        milestones=[60000, 80000],
        gamma=0.1,
    ),
]

# Nothing is clipped. The weights and biases of norms do not decay, which is
# Detectron2's default (SOLVER.WEIGHT_DECAY_NORM) and not mmdet's.
optim_wrapper = dict(
    type='mmselfemd.FiniteOptimWrapper',  # leaves out a step with NaN
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0001),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)

# 8 GPUs x 2 images; used only with --auto-scale-lr.
auto_scale_lr = dict(enable=False, base_batch_size=16)
