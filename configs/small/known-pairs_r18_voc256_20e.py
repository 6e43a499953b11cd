# The bound: the crops' geometry in place of the flow, as a flow that never
# errs would give it. A control, not a method; see docs/small_experiments.md.
_base_ = ['./selfemd_r18_voc256_20e.py']

custom_imports = dict(imports=['mmselfemd', 'mmselfemd.evaluation'])
model = dict(type='KnownPairs', head=dict(type='KnownPairsHead'))
