"""Muon: momentum made orthogonal. It reached in a minute what Adam reached in twenty (docs/log.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

_MOMENTUM = 0.95
_BIAS_SHARE = 0.1  # of the learning rate, for Adam on biases
_BIAS_BETAS = (0.9, 0.99)


class Muon(torch.optim.Optimizer):
    """Convolution weights, seen as matrices (out, in * kernel), step by their orthogonalised Nesterov momentum; biases
    by Adam at a tenth of the rate.

    K. Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". torch's own takes matrices only.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if parameter.ndim > 1:
                    self._step_matrix(parameter, parameter.grad, group["lr"])
                else:
                    self._step_bias(parameter, parameter.grad, _BIAS_SHARE * group["lr"])
        return None

    def _step_matrix(self, weight: Tensor, grad: Tensor, lr: float) -> None:
        state: dict[str, Any] = self.state[weight]
        momentum = state.setdefault("momentum", torch.zeros_like(weight))
        momentum.lerp_(grad, 1 - _MOMENTUM)
        direction = orthogonalise(grad.lerp(momentum, _MOMENTUM).flatten(1))
        tallness = max(1.0, weight.shape[0] / weight[0].numel()) ** 0.5
        weight.add_(direction.view_as(weight), alpha=-lr * tallness)

    def _step_bias(self, bias: Tensor, grad: Tensor, lr: float) -> None:
        state: dict[str, Any] = self.state[bias]
        mean = state.setdefault("mean", torch.zeros_like(bias)).lerp_(grad, 1 - _BIAS_BETAS[0])
        square = state.setdefault("square", torch.zeros_like(bias)).lerp_(grad.square(), 1 - _BIAS_BETAS[1])
        state["steps"] = state.get("steps", 0) + 1
        unbiased = [x / (1 - beta ** state["steps"]) for x, beta in zip((mean, square), _BIAS_BETAS, strict=True)]
        bias.addcdiv_(unbiased[0], unbiased[1].sqrt() + 1e-8, value=-lr)


def orthogonalise(matrix: Tensor) -> Tensor:
    """The nearest matrix with singular values of about 1 (0.7 to 1.2), by five Newton-Schulz iterations with the
    published coefficients. (M, N) -> (M, N).
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x: Tensor = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x
