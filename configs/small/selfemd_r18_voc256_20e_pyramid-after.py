# The pyramid behind the predictor, which then sees single nodes alone; see
# docs/small_experiments.md.
_base_ = ['./selfemd_r18_voc256_20e.py']

_base_.model.neck.pop()  # SPCNeck
model = dict(head=dict(pyramid=dict(type='SPCNeck', pools=[(3, 1), (3, 2)])))
