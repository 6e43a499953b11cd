# The flow, between those nodes alone that have a partner in the other view, as
# the crops' geometry tells. The bound leaves out the same ones, and knows the
# pairs besides. See docs/small_experiments.md.
_base_ = ['./selfemd_r18_voc256_20e.py']

custom_imports = dict(imports=['mmselfemd', 'mmselfemd.evaluation'])
model = dict(type='KnownPairs', head=dict(type='PartneredFlowHead'))
