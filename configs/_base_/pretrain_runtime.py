# How a pre-training run is logged, saved and reproduced.
default_scope = 'mmselfemd'
custom_imports = dict(imports=['mmselfemd'], allow_failed_imports=False)

# Of images of more than 8 bits, what becomes black and white; of images of
# other bands than colours, which are (docs/input.md). Both go into every
# pipeline.
value_range = None
bands = None

# A backbone to start from: a file, torchvision://resnet50, mmselfemd://NAME;
# None: random weights.
pretrained = None

# Ours sit here under names of their own, not in `custom_hooks`: that is a
# list, and a child config which sets it would drop them without a word.
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # The last three, and that of the largest gain in matching
    # (docs/monitors.md).
    checkpoint=dict(
        type='SafeCheckpointHook',
        interval=1,
        max_keep_ckpts=3,
        save_best='matching/gain',
        # No `rule`, which would go for a user's own `save_best`, too.
        greater_keys=['gain', 'accuracy', 'acc'],
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # Ours: 0.99 to 1 over the run; the paper gives no momentum.
    momentum_update=dict(
        type='MomentumUpdateHook', base_momentum=0.99, end_momentum=1.0
    ),
    preemption=dict(type='PreemptionHook', interval=10),
    run_report=dict(type='RunReportHook'),
    # Else mmengine's history of each scalar grows with the run.
    bounded_history=dict(type='BoundedHistoryHook'),
    run_record=dict(type='RunRecordHook'),
    pretrained_backbone=dict(type='PretrainedBackboneHook'),
    # Stops before training where images need a value_range.
    check_images=dict(type='CheckImagesHook'),
    # Where many images are large, reads them at less (docs/input.md).
    shrunk_images=dict(type='ShrunkImagesHook'),
    # On a CPU alone; on a GPU its gain was not measured (docs/step.md).
    channels_last=dict(type='ChannelsLastHook', devices=['cpu']),
    initial_validation=dict(type='InitialValidationHook'),
    matching_visualization=dict(type='MatchingVisualizationHook'),
    collapse_monitor=dict(type='CollapseMonitorHook', interval=50),
    transport_monitor=dict(type='TransportMonitorHook', interval=50),
    gradient_monitor=dict(type='GradientMonitorHook', interval=500),
)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends)
log_processor = dict(window_size=50, by_epoch=True)

log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=None, deterministic=False)
