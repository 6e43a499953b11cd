# The flow's loss grows over the first quarter of the run, while BYOL's makes
# features that a flow can go by; see docs/small_experiments.md.
_base_ = ['./selfemd_r18_voc256_20e.py']

custom_imports = dict(imports=['mmselfemd', 'mmselfemd.evaluation'])
model = dict(head=dict(type='FlowWarmUpHead', warm_up=0.25))
