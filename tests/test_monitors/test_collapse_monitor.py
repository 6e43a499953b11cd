"""The spread of vectors is that of all processes."""

from types import SimpleNamespace

import pytest
import torch
from two_processes import two_processes

from mmselfemd.evaluation.collapse import spread
from mmselfemd.models.embedding import Embedding
from mmselfemd.monitors import CollapseMonitorHook


def test_vectors_of_all_processes_are_looked_at(tmp_path):
    """Those of one process differ less than those of both."""
    vectors = torch.randn(2, 1, 8) + 0.1 * torch.randn(2, 6, 8)

    def measure(rank):
        view = [Embedding(None, vectors[rank])]
        runner = SimpleNamespace(iter=0)
        figures = CollapseMonitorHook().measure(runner, view, view, {})
        return figures['vector_spread']

    found = two_processes(measure, tmp_path)
    assert found == pytest.approx([spread(vectors.flatten(0, 1))] * 2)
