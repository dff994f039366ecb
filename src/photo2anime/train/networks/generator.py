"""Our generator: fast because it works at 1/4, 1/8 and 1/16 of the picture's size; no normalisation layers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from photo2anime.train.networks.fixed import Ink, Light, OwnColors

# Where the colour map stops to follow the mean colour: brightness, red and blue less brightness. The pairs go as far;
# beyond, what was learned from them turned dark and warm photos purple (docs/log.md).
_FARTHEST = (0.45, 0.1, 0.2)


class ResidualBlock(nn.Module):
    """x plus a small correction: two 3x3 convolutions, hidden channels between. (N, width, H, W) -> the same.

    The second convolution starts at a tenth of its usual size: without normalisation, full-size residuals make the
    first steps diverge (docs/log.md).
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, hidden, 3, padding=1)
        self.second = nn.Conv2d(hidden, width, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.kaiming_normal_(self.second.weight, nonlinearity="relu")
        self.second.weight.data.mul_(0.1)
        nn.init.zeros_(self.first.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(F.relu(self.first(x)))
        return out


class ColorMap(nn.Module):
    """A picture's colours moved by an affine map that depends on the mean colour of the whole photo. Starts as none.

    pictures (N, 3, H, W) and mean_color (N, 3), both in [-1, 1] -> pictures. Published generators normalise features
    over the whole picture, so that an overcast photo and a sunny one get different palettes. Much of that is this
    map: fitted to 37 photos and AnimeGANv2's pictures of them, each left out in turn, it brings ours nearer to them by
    1.6 to 2.4 dB (docs/log.md).
    """

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Linear(3, 12)  # mean brightness and chroma -> (3, 4)
        nn.init.zeros_(self.maps.weight)
        nn.init.zeros_(self.maps.bias)

    def forward(self, pictures: Tensor, mean_color: Tensor) -> Tensor:
        n, c, h, w = pictures.shape
        brightness = mean_color @ mean_color.new_tensor([[0.299], [0.587], [0.114]])  # (N, 1)
        chroma = mean_color[:, ::2] - brightness  # (N, 2)
        farthest = mean_color.new_tensor(_FARTHEST)
        kind = 4 * farthest * torch.tanh(torch.cat([brightness, chroma], dim=1) / farthest)
        maps = self.maps(kind).view(-1, 3, 4)
        matrix = maps[..., :3] + torch.eye(3, dtype=maps.dtype, device=maps.device)
        moved: Tensor = matrix @ pictures.reshape(n, c, -1) + maps[..., 3:]
        return moved.view(n, c, h, w)


class Generator(nn.Module):
    """Photo -> anime. x: (N, 3, H, W) in [-1, 1], H and W multiples of `multiple_of`; returns the same, not clipped.
    mean_color: (N, 3), of the whole photos that x are crops of; without it x is taken for whole. own_colors: the share
    of the photo's broad colours that the result takes; 0 learns other colours, by the mean colour (`ColorMap`).

    The 48 values of each 4x4 square of pixels are the channels at 1/4 size; residual blocks correct them there and at
    1/8 size, and a pixel shuffle lays them out again. deep_blocks above 0 adds a level at 1/16, whose wide view
    portraits need to move an eye. An untrained generator returns nearly the photo. Of the whole picture at most
    that one colour counts: what a pixel becomes depends on it and on the `halo` pixels around.
    """

    def __init__(
        self,
        width: int = 48,
        hidden: int = 96,
        low_width: int = 96,
        low_blocks: int = 4,
        deep_width: int = 88,
        deep_blocks: int = 0,
        fine_blocks: int = 2,
        own_colors: float = 0.0,
    ) -> None:
        super().__init__()
        w, v, u = width, low_width, deep_width
        self.head = nn.Conv2d(3, w, 12, stride=4, padding=4)  # (N, w, H/4, W/4)
        self.before = ResidualBlock(w, hidden)
        self.down = nn.Conv2d(w, v, 3, stride=2, padding=1)  # (N, v, H/8, W/8)
        self.deep: nn.Sequential | None = None
        if deep_blocks:
            self.deep = nn.Sequential(
                nn.Conv2d(v, u, 3, stride=2, padding=1),  # (N, u, H/16, W/16)
                *[ResidualBlock(u, u) for _ in range(deep_blocks)],
                nn.Conv2d(u, 4 * v, 1),
                nn.PixelShuffle(2),  # (N, v, H/8, W/8)
            )
        self.low = nn.Sequential(*[ResidualBlock(v, v) for _ in range(low_blocks)])
        self.up = nn.Conv2d(v, 4 * w, 1)  # pixel shuffle by 2 -> (N, w, H/4, W/4)
        self.after = nn.Sequential(*[ResidualBlock(w, hidden) for _ in range(fine_blocks)])
        self.tail = nn.Conv2d(w, 48, 3, padding=1)  # pixel shuffle by 4 -> (N, 3, H, W)
        self.color = OwnColors(own_colors) if own_colors else ColorMap()
        self.ink: Ink | None = None  # these two are set for export; what is learned is the painting under them
        self.light: Light | None = None
        self._pass_pixels_through()

    def _pass_pixels_through(self) -> None:
        """Head and tail start as space to depth and back, with a little noise."""
        ups = [self.up] if self.deep is None else [self.up, self.deep[-2]]
        for layer in (self.head, self.tail, *ups):
            assert isinstance(layer, nn.Conv2d)
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        for channel in range(min(48, self.head.out_channels)):
            color, place = divmod(channel, 16)
            self.head.weight.data[channel, color, 4 + place // 4, 4 + place % 4] += 1
            self.tail.weight.data[channel, channel, 1, 1] += 1

    @property
    def multiple_of(self) -> int:
        """Height and width have to be multiples of this: the size of a pixel at the lowest level."""
        return 8 if self.deep is None else 16

    @property
    def halo(self) -> int:
        """How far in pixels the output depends on the input: the sum of every kernel's reach, times its stride."""
        at_4 = 2 + 2 * len(self.after) + 1  # before, after, tail
        at_8 = 1 + 2 * len(self.low)
        at_16 = 0 if self.deep is None else 1 + 2 * (len(self.deep) - 3)
        drawing = 8 + 4 * at_4 + 8 * at_8 + (8 * (at_16 > 0) + 16 * at_16)
        last = (OwnColors if self.keeps_colors else None, Ink if self.ink else None, Light if self.light else None)
        return drawing + sum(layer.REACH_PX for layer in last if layer)

    @property
    def keeps_colors(self) -> bool:
        """Whether the photo's own colours come through, so that no mean colour is asked for."""
        return isinstance(self.color, OwnColors)

    def forward(self, x: Tensor, mean_color: Tensor | None = None) -> Tensor:
        fine = self.before(self.head(x))
        coarse = self.down(fine)
        if self.deep is not None:
            coarse = coarse + self.deep(coarse)
        coarse = self.up(self.low(coarse))
        fine = self.after(fine + F.pixel_shuffle(coarse, 2))
        drawn = F.pixel_shuffle(self.tail(fine), 4).float()
        if not self.keeps_colors:
            x = x.mean((2, 3)) if mean_color is None else mean_color
        anime: Tensor = self.color(drawn, x)
        for layer in (self.ink, self.light):
            anime = anime if layer is None else layer(anime)
        return anime


@torch.no_grad()
def grow(weights: dict[str, Tensor], generator: Generator) -> None:
    """Gives a generator the weights of a smaller one, so that it paints as that one did and has more to learn with.

    Chen et al. 2016 ("Net2Net"): what is wider keeps its new inputs and outputs small or unheard, new residual blocks
    start as no correction, as they do in an untrained generator. Weights that fit nowhere are an error: RuntimeError.
    """
    own = generator.state_dict()
    if unknown := [name for name in weights if name not in own and not name.startswith("color.")]:
        raise RuntimeError(f"no place for {unknown[0]}")
    for block in (module for module in generator.modules() if isinstance(module, ResidualBlock)):
        block.second.weight.mul_(0.1)
    for layer in (generator.up, generator.tail):  # what new channels say is not heard yet
        layer.weight.mul_(0.1)
    for name, value in weights.items():
        if name not in own:
            continue
        place = tuple(slice(0, n) for n in value.shape)
        if any(n > m for n, m in zip(value.shape, own[name].shape, strict=True)):
            raise RuntimeError(f"{name} is {tuple(value.shape)}, larger than {tuple(own[name].shape)}")
        if len(place) == 4 and ".second" in name:
            own[name][place[0]] = 0  # of the old outputs, hidden units that are new say nothing
        own[name][place] = value
