"""A smaller network to begin with, cut out of a larger one: cut_network.py RUN OUT.onnx --hidden 56 --fine-blocks 2 ..

Of each residual block the hidden units that count most are kept, of each row of blocks those that do: by the norms of
the kernels before and after a unit (Li et al. 2017, "Pruning filters for efficient ConvNets", both layers' norms
multiplied). It paints badly until it is trained on: `photo2anime distill --from OUT.onnx` with the same shape.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from photo2anime.train.learning.checkpoint import new_state
from photo2anime.train.learning.run import load_generator
from photo2anime.train.networks.generator import Generator
from photo2anime.train.publishing.export import write_onnx
from photo2anime.types import StyleCard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    for fact in ("hidden", "fine-blocks", "low-blocks"):
        parser.add_argument(f"--{fact}", type=int, required=True)
    args = parser.parse_args()
    large, config = load_generator(args.run)
    shape = {"hidden": args.hidden, "fine_blocks": args.fine_blocks, "low_blocks": args.low_blocks}
    small = new_state(replace(config, **shape), torch.device("cpu")).generator
    assert isinstance(large, Generator) and isinstance(small, Generator)
    cut(large.state_dict(), small)
    write_onnx(small, StyleCard(config.style, args.out.name, multiple_of=small.multiple_of, halo=small.halo), args.out)


@torch.no_grad()
def cut(weights: dict[str, Tensor], small: Generator) -> None:
    """Gives a generator what counts most of the weights of a larger one, which has no deep level."""
    own = small.state_dict()
    for name in own:
        if name.split(".")[0] in ("head", "down", "up", "tail"):
            own[name].copy_(weights[name])
    pairs = {"before": "before"}
    for row in ("after", "low"):
        count, kept = (len({name.split(".")[1] for name in w if name.startswith(row)}) for w in (weights, own))
        totals = torch.stack([importance(weights, f"{row}.{i}").sum() for i in range(count)])
        best = sorted(totals.argsort(descending=True)[:kept].tolist())
        pairs |= {f"{row}.{place}": f"{row}.{i}" for place, i in enumerate(best)}
    for name, source in pairs.items():
        units = importance(weights, source).argsort(descending=True)[: own[f"{name}.first.weight"].shape[0]]
        own[f"{name}.first.weight"].copy_(weights[f"{source}.first.weight"][units])
        own[f"{name}.first.bias"].copy_(weights[f"{source}.first.bias"][units])
        own[f"{name}.second.weight"].copy_(weights[f"{source}.second.weight"][:, units])
        own[f"{name}.second.bias"].copy_(weights[f"{source}.second.bias"])


def importance(weights: dict[str, Tensor], block: str) -> Tensor:
    """How much each hidden unit of a block counts: (hidden,)."""
    into, out_of = weights[f"{block}.first.weight"], weights[f"{block}.second.weight"]
    counts: Tensor = into.flatten(1).norm(dim=1) * out_of.transpose(0, 1).flatten(1).norm(dim=1)
    return counts


if __name__ == "__main__":
    main()
