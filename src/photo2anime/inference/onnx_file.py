"""Finds the other files that an .onnx file refers to, before anything opens it; only single files are accepted.

The wire format of protobuf, as far as https://protobuf.dev/programming-guides/encoding and onnx.proto3 say; the runtime
has no onnx package to ask. Field numbers below are those of onnx.proto3, which never change.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from photo2anime.types import Photo2AnimeError

_LARGEST = 2**31 - 1  # bytes; protobuf holds no more
_DEEPEST = 64  # graphs within graphs
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_INSIDE = {  # message: {field: message} for the fields through which a tensor can be reached
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor: where its values lie; 14 is 1 when they lie in another file
_OPERATION = 4  # of a node: its name
_COMPILED = b"EPContext"  # a node that names a file compiled for one device


def read_network(file: Path) -> bytes:
    """The file's content, which is complete by itself. Raises Photo2AnimeError when it names another file, is no
    network, or cannot be read.
    """
    try:
        if not file.is_file():
            raise Photo2AnimeError(f"{file} could not be loaded as a network (no such file); give an .onnx file")
        if file.stat().st_size > _LARGEST:
            raise Photo2AnimeError(f"{file} could not be loaded as a network (over 2 GiB); give a smaller .onnx file")
        data = file.read_bytes()
    except OSError as error:
        raise Photo2AnimeError(f"{file} could not be loaded as a network ({error.strerror}); check the file") from error
    try:
        names_another = _names_another_file(memoryview(data), "model", 0)
    except ValueError as error:
        raise Photo2AnimeError(f"{file} could not be loaded as a network ({error}); give an .onnx file") from error
    if names_another:
        raise Photo2AnimeError(
            f"{file} keeps a part of itself in another file, which is never opened; save it as one file "
            "(onnx.save(onnx.load(FILE), NEW, save_as_external_data=False))"
        )
    return data


def _names_another_file(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _DEEPEST:
        raise ValueError("its graphs are nested too deep")
    inside = _INSIDE[kind]
    for number, wire, value in _fields(message):
        if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
            return True
        if kind == "node" and number == _OPERATION and isinstance(value, memoryview) and bytes(value) == _COMPILED:
            return True
        if (
            number in inside
            and wire == _BYTES
            and isinstance(value, memoryview)
            and _names_another_file(value, inside[number], depth + 1)
        ):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """(number, wire type, value) of each field. Raises ValueError for what is not protobuf."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise ValueError("it is not in ONNX format, or damaged")
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, wire, value
            continue
        length = {_FIXED64: 8, _FIXED32: 4}.get(wire)
        if wire == _BYTES:
            length, at = _varint(message, at)
        if length is None or at + length > end:
            raise ValueError("it is not in ONNX format, or cut short")
        yield number, wire, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number that begins at, and where the next field begins."""
    value = 0
    for place in range(10):
        if at + place >= len(message):
            raise ValueError("it is cut short")
        byte = message[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("it is not in ONNX format, or damaged")
