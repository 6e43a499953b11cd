# The bound: the crops' geometry in place of the flow, as a flow that never
# errs would give it; see docs/small_experiments.md.
_base_ = ['./selfemd_r18_voc256_20e.py']

model = dict(type='KnownPairs', head=dict(type='KnownPairsHead'))
