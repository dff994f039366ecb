"""A file that names another file, an address or a program is read for what it holds itself, or refused in one line."""

from __future__ import annotations

import ast
import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image, TiffImagePlugin

from conftest import ROOT, photo_of
from photo2anime import Photo2AnimeError, Stylizer
from photo2anime.images.image_io import read_image
from photo2anime.inference.onnx_file import read_network
from photo2anime.train.publishing.animeganv2_weights import generator_state
from photo2anime.train.publishing.import_style import StyleImport, import_style
from photo2anime.types import NotAPictureError
from test_runtime import write_network

PHOTO = photo_of(40, 56)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTO2ANIME_HOME", str(tmp_path / "home"))


# Networks


def split(tmp_path: Path, location: str = "weights.bin") -> Path:
    """A network whose weights lie in another file, which is there."""
    model = onnx.load(write_network(tmp_path / "net.onnx", stride=8))
    file = tmp_path / "split.onnx"
    onnx.save(model, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
    model = onnx.load(file, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = location
    file.write_bytes(model.SerializeToString())
    return file


@pytest.mark.parametrize("location", ["weights.bin", "../secret", "/etc/passwd", "*/_ORT_MEM_ADDR_/*"])
def test_weights_in_another_file_are_never_opened(tmp_path: Path, location: str) -> None:
    file = split(tmp_path, location)
    for load in (Stylizer.load, lambda f: import_style(StyleImport(f, "split")), read_network):
        with pytest.raises(Photo2AnimeError, match="in another file, which is never opened; save it as one") as caught:
            load(file)  # type: ignore[operator]
        assert "\n" not in str(caught.value) and str(file) in str(caught.value)


def test_such_weights_are_found_wherever_they_hide(tmp_path: Path) -> None:
    outside = helper.make_tensor("k", TensorProto.FLOAT, [1], [1.0])
    outside.ClearField("float_data")
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="secret")
    constant = helper.make_node("Constant", [], ["c"], value=outside)
    inner = helper.make_graph([constant], "inner", [], [helper.make_tensor_value_info("c", TensorProto.FLOAT, [1])])
    branch = helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)
    sparse = helper.make_sparse_tensor(outside, helper.make_tensor("i", TensorProto.INT64, [1], [0]), [4])
    graphs = {
        "node": helper.make_graph([constant], "g", [], []),
        "branch": helper.make_graph([branch], "g", [], []),
        "sparse": helper.make_graph([], "g", [], [], sparse_initializer=[sparse]),
    }
    models = {name: helper.make_model(graph) for name, graph in graphs.items()}
    function = helper.make_function("own", "f", [], ["c"], [constant], [helper.make_opsetid("", 17)])
    models["function"] = helper.make_model(helper.make_graph([], "g", [], []), functions=[function])
    models["compiled"] = helper.make_model(
        helper.make_graph([helper.make_node("EPContext", [], ["c"], domain="com.microsoft")], "g", [], [])
    )
    for name, model in models.items():
        file = tmp_path / f"{name}.onnx"
        file.write_bytes(model.SerializeToString())
        with pytest.raises(Photo2AnimeError, match="in another file"):
            read_network(file)


def test_a_whole_network_is_read_unchanged_and_what_is_none_is_named(tmp_path: Path) -> None:
    file = write_network(tmp_path / "net.onnx", stride=8)
    assert read_network(file) == file.read_bytes()
    deep = b""
    for _ in range(200):  # a node in an attribute in a node ..
        deep = _field(1, _field(5, _field(6, deep)))
    for content, said in (
        (file.read_bytes()[:-7], "cut short"),
        (b"\xff" * 30, "not in ONNX format"),
        (b"\x0b\x0c", "not in ONNX format"),  # a group, which ONNX has none of
        (_field(7, deep), "too deep"),
    ):
        (tmp_path / "wrong.onnx").write_bytes(content)
        with pytest.raises(Photo2AnimeError, match=said):
            read_network(tmp_path / "wrong.onnx")
    with pytest.raises(Photo2AnimeError, match="no such file"):
        read_network(tmp_path)


def _field(number: int, content: bytes) -> bytes:
    length, size = b"", len(content)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def test_operations_from_libraries_are_refused_in_one_line(tmp_path: Path) -> None:
    """A library of operations is loaded only when a program asks for it, and this one never does."""
    model = onnx.load(write_network(tmp_path / "net.onnx"))
    model.graph.node[0].op_type, model.graph.node[0].domain = "Evil", "their.own"
    model.opset_import.append(helper.make_opsetid("their.own", 1))
    onnx.save(model, tmp_path / "custom.onnx")
    with pytest.raises(Photo2AnimeError, match="could not be loaded as a network") as caught:
        Stylizer.load(tmp_path / "custom.onnx")
    assert "\n" not in str(caught.value)
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py"))
    assert "register_custom_ops_library" not in sources


def test_a_network_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from photo2anime.inference import runtime

    monkeypatch.setattr(runtime, "TRIAL_SECONDS", 0.5)
    kind = TensorProto.FLOAT
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["x_in"], ["x_out"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x_in", kind, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x_out", kind, None),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["", "true", "x"], ["y"], body=body)],
        "endless",
        [helper.make_tensor_value_info("x", kind, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("y", kind, None)],
        [helper.make_tensor("true", TensorProto.BOOL, [], [True])],
    )
    file = tmp_path / "endless.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    with pytest.raises(Photo2AnimeError, match="does not turn a picture"):
        Stylizer.load(file)


# Checkpoints


class _Runs:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.file), "w")


def test_no_checkpoint_runs_code(tmp_path: Path) -> None:
    evil = tmp_path / "evil"
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(_Runs(evil)))
    torch.save({"state_dict": _Runs(evil)}, tmp_path / "new.pt")
    torch.save({"state_dict": _Runs(evil)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "named.safetensors").write_bytes(pickle.dumps(_Runs(evil)))
    for name in ("plain.pkl", "new.pt", "old.pt", "named.safetensors"):
        with pytest.raises(Photo2AnimeError) as caught:
            generator_state(tmp_path / name)
        assert "\n" not in str(caught.value) and not evil.exists(), name


def test_safetensors_that_point_outside_the_file_are_refused(tmp_path: Path) -> None:
    for header in (
        b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}',
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}',
    ):
        (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
        with pytest.raises(Photo2AnimeError, match="could not be read as a checkpoint"):
            generator_state(tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    with pytest.raises(Photo2AnimeError, match="could not be read as a checkpoint"):
        generator_state(tmp_path / "w.safetensors")


def test_archives_are_not_unpacked(tmp_path: Path) -> None:
    """Zip slip: names like ../../x in an archive go nowhere, because no archive is ever unpacked to the disk."""
    with zipfile.ZipFile(tmp_path / "slip.pt", "w") as archive:
        archive.writestr("../slipped", b"x")
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    with pytest.raises(Photo2AnimeError):
        generator_state(tmp_path / "slip.pt")
    assert not (tmp_path.parent / "slipped").exists()
    for file in (ROOT / "src").rglob("*.py"):
        called = {
            node.func.attr
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        one_named_member = {"extract"} if file.name == "features.py" else set()  # out of a wheel pinned by its sha256
        assert not called & {"extract", "extractall", "unpack_archive"} - one_named_member, file


def test_what_is_no_file_is_not_brought_in(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "folder.onnx").mkdir()
    for name, said in (("pipe.onnx", "a pipe or a device"), ("folder.onnx", "it is a folder")):
        with pytest.raises(Photo2AnimeError, match=said):
            import_style(StyleImport(tmp_path / name, "mine"))


def test_tensors_that_are_no_plain_numbers_are_refused(tmp_path: Path) -> None:
    from photo2anime.train.networks.animeganv2 import AnimeGANv2Generator

    state = AnimeGANv2Generator().state_dict()
    name = "out_layer.0.weight"
    torch.save({**state, name: state[name].to_sparse()}, tmp_path / "sparse.pt")
    torch.save({**state, name: state[name].to(torch.int32)}, tmp_path / "whole.pt")
    for file in ("sparse.pt", "whole.pt"):
        with pytest.raises(Photo2AnimeError, match="not plain floating-point"):
            generator_state(tmp_path / file)


# Pictures

DRAWING = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 10 10
(evil) (w) file closefile
%%EOF
"""
OTHERS = {
    "eps": DRAWING,
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n",
    "wmf": b"\xd7\xcd\xc6\x9a" + bytes(40),
    "fli": bytes([0, 1, 0, 0, 0x11, 0xAF]) + bytes(140),
    "gbr": struct.pack(">7I", 28, 2, 4, 4, 4, 0x47494D50, 10) + bytes(64),
    "mpg": b"\x00\x00\x01\xb3" + bytes(60),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("name", ["true", "disguised"])
def test_formats_that_run_programs_or_name_files_are_never_opened(tmp_path: Path, kind: str, name: str) -> None:
    file = tmp_path / ("x.jpg" if name == "disguised" else f"x.{kind}")
    file.write_bytes(OTHERS[kind])
    with pytest.raises(NotAPictureError, match="is not a picture this program knows"):
        read_image(file)
    assert not (tmp_path / "evil").exists() and not Path("evil").exists()


def test_xmp_is_carried_and_never_parsed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret")
    entity = f'<!DOCTYPE x [<!ENTITY s SYSTEM "file://{tmp_path}/secret">]>'
    xmp = entity + '<x:xmpmeta xmlns:x="adobe:ns:meta/">&s;</x:xmpmeta>'
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, "JPEG", xmp=xmp.encode())
    picture = read_image(file.getvalue())
    assert picture.xmp == xmp.encode()
    parsers = ("xml.", "lxml", "defusedxml")
    for source in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.startswith(parsers) for name in names), source


def test_a_profile_is_taken_from_the_file_alone(tmp_path: Path) -> None:
    """A damaged profile, or one that is the name of a file, is no reason to open anything."""
    secret = tmp_path / "real.icc"
    secret.write_bytes(b"x")
    for profile in (str(secret).encode(), b"file://" + str(secret).encode(), b"\0" * 128):
        file = io.BytesIO()
        Image.fromarray(PHOTO).save(file, "PNG", icc_profile=profile)
        assert np.array_equal(read_image(file.getvalue()).rgb, PHOTO)


def test_directories_of_a_tiff_that_point_anywhere_change_nothing() -> None:
    """Sub-directories, EXIF and page chains that loop or lie outside the file."""
    for tag in (330, 34665, 34853):
        for offset in (8, 4, 1 << 30, 0xFFFFFFFF):
            entries = TiffImagePlugin.ImageFileDirectory_v2()
            entries[tag] = offset
            entries.tagtype[tag] = 4
            file = io.BytesIO()
            Image.fromarray(PHOTO).save(file, "TIFF", tiffinfo=entries)
            assert np.array_equal(read_image(file.getvalue()).rgb, PHOTO)
    looping = io.BytesIO()
    Image.fromarray(PHOTO).save(looping, "TIFF")
    data = bytearray(looping.getvalue())
    first = struct.unpack("<I", data[4:8])[0]
    entries_there = struct.unpack("<H", data[first : first + 2])[0]
    data[first + 2 + 12 * entries_there :][:4] = struct.pack("<I", first)
    at = first + 2 + 12 * entries_there
    data[at : at + 4] = struct.pack("<I", first)  # the next page is the first again
    assert np.array_equal(read_image(bytes(data)).rgb, PHOTO)
