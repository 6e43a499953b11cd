# The flow from the backbone's maps, where the loss's own flow errs more
# often; the loss is on the predictions all the same. Cosines of these maps are
# high, and a gamma of 0.05 would blur it. See docs/small_experiments.md.
_base_ = ['./selfemd_r18_voc256_20e.py']

custom_imports = dict(imports=['mmselfemd', 'mmselfemd.evaluation'])
model = dict(
    type='BackboneFlow', head=dict(type='BackboneFlowHead', gamma=0.01)
)
