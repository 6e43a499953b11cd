"""Speed of the transport beside its peers, in one run.

Problems of the size of a training step: 256 pairs of 83 nodes, gamma 0.1, 50
iterations, forward alone and forward with backward. Compare the ratios; the
times themselves depend on the machine and on what else it does.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.benchmark import Timer

from mmselfemd.engine.command_line import run_tool
from mmselfemd.transport.emd import flow_similarity

Problem = tuple[Tensor, Tensor, Tensor]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--batch', type=int, default=256)
    parser.add_argument('--nodes', type=int, default=83)
    parser.add_argument('--gamma', type=float, default=0.1)
    parser.add_argument('--iters', type=int, default=50)
    parser.add_argument(
        '--seconds', type=float, default=5, help='time for each measurement'
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--json', type=Path, metavar='OUT')
    return parser.parse_args()


def ours(problem: Problem, gamma: float, iters: int) -> Tensor:
    """This package's, with its default gradient."""
    return flow_similarity(*problem, gamma, iters)[0]


def log_domain_loop(problem: Problem, gamma: float, iters: int) -> Tensor:
    """What one writes first: logsumexp over a whole batch."""
    cost, source, target = problem
    log_kernel = -cost / gamma
    log_v = torch.zeros_like(source)
    for _ in range(iters):
        log_u = target.log() - (log_kernel + log_v[:, :, None]).logsumexp(1)
        log_v = source.log() - (log_kernel + log_u[:, None]).logsumexp(2)
    return (log_kernel + log_v[:, :, None] + log_u[:, None]).exp()


def pot_batch(problem: Problem, gamma: float, iters: int) -> Tensor:
    """POT's batched solver."""
    from ot.batch import solve_batch

    cost, source, target = problem
    return solve_batch(
        cost,
        reg=gamma,
        a=source,
        b=target,
        max_iter=iters,
        tol=0,
        method='log_sinkhorn',
    ).plan


def geomloss_batch(problem: Problem, gamma: float, iters: int) -> Tensor:
    """The batched solver of geomloss, which lowers gamma as it goes."""
    from geomloss.ot import solve_batch

    cost, source, target = problem
    return solve_batch(
        cost, reg=gamma, a=source, b=target, max_iter=iters
    ).plan


def with_flow_fixed(solver: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A peer's similarity by its flow, held fixed as by default here.

    That spares a peer the way back through its iterations.
    """

    def similarity(problem: Problem, gamma: float, iters: int) -> Tensor:
        with torch.no_grad():
            flow = solver(problem, gamma, iters)
        return ((1 - problem[0]) * flow).sum((1, 2))

    return similarity


PEERS: dict[str, Callable[..., Tensor]] = {
    'mmselfemd': ours,
    'torch, log domain': with_flow_fixed(log_domain_loop),
    'POT solve_batch': with_flow_fixed(pot_batch),
    'geomloss solve_batch': with_flow_fixed(geomloss_batch),
}


def make_problem(args: argparse.Namespace) -> Problem:
    """Random costs in [0, 2] and positive marginals that sum to one."""
    generator = torch.Generator().manual_seed(0)
    shape = (args.batch, args.nodes)
    cost = 2 * torch.rand(*shape, args.nodes, generator=generator)
    marginals = torch.rand(2, *shape, generator=generator) + 0.1
    source, target = marginals / marginals.sum(-1, keepdim=True)
    return tuple(part.to(args.device) for part in (cost, source, target))


def forward_backward(solve: Callable[..., Tensor], problem: Problem) -> None:
    """One step: similarity and its gradient by the cost."""
    cost = problem[0].detach().requires_grad_()
    solve((cost, *problem[1:])).sum().backward()


def seconds_of(function: Callable[[], object], seconds: float) -> float:
    """Median time of a call."""
    timer = Timer(
        'function()',
        globals=dict(function=function),
        num_threads=torch.get_num_threads(),
    )
    return timer.blocked_autorange(min_run_time=seconds).median


def measure(args: argparse.Namespace) -> dict:
    """Times of all, and how much faster ours is than the fastest peer."""
    problem = make_problem(args)
    results: dict = dict(settings={k: str(v) for k, v in vars(args).items()})
    for name, peer in PEERS.items():
        solve = partial(peer, gamma=args.gamma, iters=args.iters)
        results[name] = dict(
            forward=seconds_of(lambda s=solve: s(problem), args.seconds),
            forward_backward=seconds_of(
                lambda s=solve: forward_backward(s, problem), args.seconds
            ),
        )
    peers = [name for name in PEERS if name != 'mmselfemd']
    results['speedup_over_fastest_peer'] = {
        kind: min(results[name][kind] for name in peers)
        / results['mmselfemd'][kind]
        for kind in ('forward', 'forward_backward')
    }
    return results


def show(results: dict) -> None:
    """Print a table."""
    table = Table('', 'forward, ms', 'forward + backward, ms')
    for name in PEERS:
        times = results[name]
        table.add_row(
            name,
            f'{1e3 * times["forward"]:.1f}',
            f'{1e3 * times["forward_backward"]:.1f}',
        )
    speedup = results['speedup_over_fastest_peer']
    table.add_section()
    table.add_row(
        'speed-up over the fastest peer',
        f'{speedup["forward"]:.1f}',
        f'{speedup["forward_backward"]:.1f}',
    )
    Console().print(table)


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
    results = measure(args)
    show(results)
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
