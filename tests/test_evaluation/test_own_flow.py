"""A verdict on the flow that a run without content does not pass."""

from math import isnan

import pytest

from mmselfemd.evaluation.own_flow import (
    own_flow_verdict,
    summarise_own_flow,
)


def logged(own, position=0.2, other=0.1):
    """As the monitor logs it: an early phase, and a late one of 4 batches."""
    late = dict(
        own_flow=own,
        own_flow_same_position=[position] * 4,
        own_flow_other_image=[other] * 4,
        own_flow_chance=[0.07] * 4,
        matches_per_node=[40.0] * 4,
    )
    return {name: [0.9] * 8 + values for name, values in late.items()}


def test_a_flow_above_its_controls_matches():
    figures = summarise_own_flow(logged([0.30, 0.32, 0.31, 0.29]))
    assert figures['own_flow'] == pytest.approx(0.305)
    assert figures['own_flow_other_image'] == pytest.approx(0.1)
    # The standard deviation of four, over the root of four.
    assert figures['own_flow_error'] == pytest.approx(0.01291 / 2, rel=1e-3)
    assert figures['flow_matches'] is True
    assert 'flow matches: 0.3' in own_flow_verdict(figures)


@pytest.mark.parametrize(
    ('own', 'controls'),
    [
        # Position alone, another image alone, within the error.
        ([0.20, 0.22, 0.21, 0.19], {}),
        ([0.30, 0.32, 0.31, 0.29], dict(position=0.1, other=0.31)),
        ([0.10, 0.50, 0.10, 0.50], {}),
    ],
)
def test_a_flow_that_a_control_reaches_does_not(own, controls):
    figures = summarise_own_flow(logged(own, **controls))
    assert figures['flow_matches'] is False
    verdict = own_flow_verdict(figures)
    assert 'does not match yet' in verdict
    assert f'{figures["own_flow_same_position"]:.2f} by position' in verdict


@pytest.mark.parametrize(
    ('name', 'said'),
    [
        ('other_image', '0.20 by position alone.'),
        ('same_position', 'place, 0.10 in another image.'),
    ],
)
def test_a_control_that_cannot_be_is_unknown_and_not_said(name, said):
    """Of batches of one image, or of views of other numbers of nodes."""
    figures = logged([0.30, 0.32, 0.31, 0.29])
    del figures[f'own_flow_{name}']
    figures = summarise_own_flow(figures)
    assert figures['flow_matches'] is True
    assert isnan(figures[f'own_flow_{name}'])
    verdict = own_flow_verdict(figures)
    assert 'nan' not in verdict and verdict.endswith(said)


def test_a_run_of_few_steps_claims_nothing():
    few = {name: values[-1:] for name, values in logged([0.9] * 4).items()}
    figures = summarise_own_flow(few)
    assert figures['own_flow'] == 0.9
    assert figures['flow_matches'] is False
    assert summarise_own_flow({}) == {}
    assert 'was not looked at' in own_flow_verdict({})
