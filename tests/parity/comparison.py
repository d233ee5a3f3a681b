"""Run two modules on the same inputs and compare everything that comes out, forward and backward.

In float64 both sides keep about 16 digits, so 1e-10 leaves room only for another order of summation. In float32 a
difference is held against the largest value of its tensor: 1e-5 of it is about a hundred roundings.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

LIMITS = {torch.float64: 1e-10, torch.float32: 1e-5}


def randomise(module: nn.Module) -> nn.Module:
    """Draw every parameter anew, norms and biases too: a zero or a one would hide a wrong copy."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


def largest_difference(
    ours: nn.Module,
    run_ours: Callable[..., Tensor],
    peer: nn.Module,
    run_peer: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    convert: Callable[[nn.Module], nn.Module],
) -> float:
    """The largest difference between outputs, gradients of the inputs, and gradients of the parameters.

    Args:
        ours: our module.
        run_ours: calls it on the inputs.
        peer: their module.
        run_peer: calls it on the inputs.
        inputs: float tensors; each side gets copies of its own.
        convert: carries a module of ours to their kind; used to carry our gradients to the peer's names.
    """
    sides = []
    for module, run in ((ours, run_ours), (peer, run_peer)):
        module.zero_grad()
        copies = [tensor.clone().requires_grad_() for tensor in inputs]
        output = run(*copies)
        # A fixed random projection: a plain sum would give a layer norm no gradient at all.
        direction = torch.randn(output.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        (output * direction.to(output.dtype)).sum().backward()
        sides.append([output.detach(), *(tensor.grad for tensor in copies)])
    carrier = copy.deepcopy(ours)
    with torch.no_grad():
        for parameter, source in zip(carrier.parameters(), ours.parameters(), strict=True):
            parameter.copy_(source.grad)
    ours_gradients = dict(convert(carrier).named_parameters())
    theirs_gradients = {name: parameter.grad for name, parameter in peer.named_parameters() if parameter.requires_grad}
    for name, gradient in theirs_gradients.items():
        sides[0].append(ours_gradients[name].detach())
        sides[1].append(gradient)
    relative = sides[0][0].dtype == torch.float32
    return max(
        ((a - b).abs().max() / (b.abs().max().clamp(min=1.0) if relative else 1.0)).item()
        for a, b in zip(*sides, strict=True)
    )
