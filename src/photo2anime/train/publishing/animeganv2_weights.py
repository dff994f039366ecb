"""Extracts the AnimeGANv2 generator's weights from checkpoints in other projects' layouts."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from photo2anime.train.networks.animeganv2 import AnimeGANv2Generator
from photo2anime.train.publishing.file_type import seems_to_be
from photo2anime.types import Photo2AnimeError

State: TypeAlias = dict[str, Tensor]

_WRAPPERS = ("state_dict", "model_state_dict", "generator", "params_ema", "params", "netG", "model")
_PREFIXES = ("module.", "_orig_mod.", "generator.", "netG.")
_DAMAGED = (  # what PyTorch's readers raise on files that are damaged
    *(OSError, RuntimeError, ValueError, EOFError, LookupError, TypeError, AttributeError, AssertionError),
    *(ArithmeticError, MemoryError, struct.error, pickle.PickleError, zipfile.BadZipFile),
)
_FAMILIES = (  # a name inside a state dict, and whose it is
    ("tail.weight", "a generator of photo2anime: export its run with `photo2anime export RUN_DIR`"),
    ("features.0.weight", "a VGG or another classifier"),
    ("layer1.0.conv1.weight", "a ResNet"),
    ("encode_blocks.", "pytorch-animeGAN's generator, another network than animegan2-pytorch's"),
    ("conv_first.weight", "an upscaler like Real-ESRGAN"),
    ("model.diffusion_model.", "a diffusion model"),
    ("lora_", "a LoRA of a diffusion model"),
    ("downsample.", "a generator of the CartoonGAN or CycleGAN kind"),
)


def generator_state(file: Path) -> State:
    """The weights of AnimeGANv2's generator under the names of AnimeGANv2Generator, float32.

    From torch.save (never unpickled freely), safetensors, or a TensorFlow checkpoint given by its prefix. Wrappers and
    prefixes that trainers add are taken off. Raises Photo2AnimeError, which says what the file seems to be.
    """
    wanted = AnimeGANv2Generator().state_dict()
    state = _unwrapped(_load(file))
    if missing := [key for key in wanted if key not in state]:
        raise Photo2AnimeError(
            f"{file} is not AnimeGANv2's generator as animegan2-pytorch names it: {missing[0]} and "
            f"{len(missing) - 1} other tensors are missing{_family(state)}"
        )
    for key, tensor in wanted.items():
        if state[key].shape != tensor.shape:
            shapes = f"{tuple(state[key].shape)}, expected {tuple(tensor.shape)}"
            raise Photo2AnimeError(
                f"{file}: {key} has shape {shapes}; it is another size of network, such as the Lite one"
            )
        if state[key].layout != torch.strided or not state[key].is_floating_point() or state[key].is_meta:
            raise Photo2AnimeError(f"{file}: {key} is {state[key].dtype}, not plain floating-point numbers")
    if extra := sorted(state.keys() - wanted.keys()):
        raise Photo2AnimeError(f"{file} holds {extra[0]} too, which AnimeGANv2's generator has not{_family(state)}")
    return {key: state[key].to(torch.float32) for key in wanted}


def _load(file: Path) -> Any:
    if file.with_name(file.name + ".index").exists():
        return _from_tensorflow(file)
    if file.suffix in (".index", ".meta") or ".data-0" in file.name:
        raise Photo2AnimeError(f"{file} is a part of a TensorFlow checkpoint; give its prefix, without {file.suffix}")
    known = seems_to_be(file)
    if "TorchScript" in known:
        raise Photo2AnimeError(f"{file} could not be read as a checkpoint{known}")
    try:
        if file.suffix == ".safetensors":
            from safetensors import SafetensorError
            from safetensors.torch import load_file

            try:
                return load_file(file)
            except SafetensorError as error:
                raise ValueError(str(error)) from error
        return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        whole = "; it may be a whole pickled model: in the program that made it, save model.state_dict()"
        raise Photo2AnimeError(
            f"{file} holds more than tensors, which is not loaded because it could run code"
            f"{known if known and 'checkpoint' not in known else whole}"
        ) from error
    except _DAMAGED as error:
        raise Photo2AnimeError(f"{file} could not be read as a checkpoint{known}") from error


def _unwrapped(loaded: Any) -> State:
    """The dictionary of tensors inside what trainers wrap around it; empty when there is none."""
    while isinstance(loaded, dict) and (inner := next((w for w in _WRAPPERS if isinstance(loaded.get(w), dict)), None)):
        loaded = loaded[inner]
    state = {str(k): v for k, v in loaded.items() if isinstance(v, Tensor)} if isinstance(loaded, dict) else {}
    while state and (prefix := next((p for p in _PREFIXES if all(key.startswith(p) for key in state)), None)):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def _family(state: State) -> str:
    if not state:
        return "; it holds no tensors by name"
    if all(key.startswith(("discriminator", "D.", "netD.")) for key in state):
        return "; it seems to be a discriminator: give the generator"
    kind = next((kind for part, kind in _FAMILIES if any(part in key for key in state)), None)
    first = ", ".join(list(state)[:3])
    return f"; it seems to be {kind}" if kind else f"; it holds {len(state)} tensors: {first}, .."


def _from_tensorflow(prefix: Path) -> State:
    """The generator's variables of an AnimeGANv2 checkpoint, renamed and turned to PyTorch's order of axes."""
    try:
        import tensorflow as tf  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise Photo2AnimeError(
            f"{prefix} is a TensorFlow checkpoint; pip install tensorflow to read it (photo2anime does not need it "
            "for anything else)"
        ) from None
    reader = tf.train.load_checkpoint(str(prefix))
    return from_tensorflow_variables(
        {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if tensorflow_key(name)}
    )


def from_tensorflow_variables(variables: dict[str, np.ndarray[Any, Any]]) -> State:
    """TensorFlow's variables as a state dict: kernels (H, W, in, out) -> (out, in, H, W); depthwise (H, W, in, 1)."""
    state = {}
    for name, value in variables.items():
        if key := tensorflow_key(name):
            depthwise = name.endswith("/w")
            axes = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
            array = np.transpose(value, axes) if value.ndim == 4 else value
            state[key] = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    return state


def tensorflow_key(name: str) -> str | None:
    """The name animegan2-pytorch gives to one of AnimeGANv2's variables; None for optimisers' and others' variables.

    "generator/G_MODEL/C/r2/Conv_1/weights" -> "block_c.2.layers.2.weight". Source: net/generator.py of AnimeGANv2 and
    convert_weights.py of animegan2-pytorch.
    """
    parts = name.removesuffix(":0").split("/")
    kinds = {"weights": "weight", "w": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
    if parts[:2] != ["generator", "G_MODEL"] or parts[-1] not in kinds or not 5 <= len(parts) <= 6:
        return None
    block, *place, variable = parts[2:]
    kind = kinds[variable]
    if block == "out_layer":
        return f"out_layer.0.{kind}"
    layer, _, number = place[-1].partition("_")
    if len(place) == 2:  # C/r1 .. r4: Conv, LayerNorm | r1/w, r1/bias, 1 | Conv_1, 2
        inside = {"Conv": "0.1", "LayerNorm": "0.2", place[0]: "1.1", "1": "1.2", "Conv_1": "2", "2": "3"}
        return f"block_c.{place[0].removeprefix('r')}.layers.{inside[place[1]]}.{kind}" if place[1] in inside else None
    position = int(number or 0)
    if block == "C" and position == 1:
        position = 5  # after the four residual blocks
    return f"block_{block.lower()}.{position}.{'1' if layer == 'Conv' else '2'}.{kind}"
