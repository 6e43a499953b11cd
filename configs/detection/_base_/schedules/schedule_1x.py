# mmdet's 12 epochs. The loop can be resumed inside an epoch, and the wrapper
# leaves out a step with NaN; where there is none, neither changes anything.
_base_ = 'mmdet::_base_/schedules/schedule_1x.py'

train_cfg = dict(type='mmselfemd.ReproducibleEpochBasedTrainLoop')
optim_wrapper = dict(type='mmselfemd.FiniteOptimWrapper')
