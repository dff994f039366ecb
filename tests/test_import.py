"""Networks of others become styles: checkpoints under the published names, ONNX files; wrong files are named."""

from __future__ import annotations

import shutil
import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from conftest import one_line, photo_of
from photo2anime import Photo2AnimeError, Stylizer, list_styles
from photo2anime.cli import main
from photo2anime.commands.doctor import examine
from photo2anime.styles import installed_styles, styles_folder
from photo2anime.train.learning.sample_sheet import paint_whole
from photo2anime.train.networks.animeganv2 import AnimeGANv2Generator
from photo2anime.train.publishing.animeganv2_weights import from_tensorflow_variables, generator_state, tensorflow_key
from photo2anime.train.publishing.import_style import StyleImport, import_style
from test_runtime import write_network


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for installed styles."""
    monkeypatch.setenv("PHOTO2ANIME_HOME", str(tmp_path / "home"))
    list_styles.cache_clear()
    yield tmp_path / "home" / "styles"
    list_styles.cache_clear()


def generator(align_corners: bool = False) -> AnimeGANv2Generator:
    torch.manual_seed(3)
    return AnimeGANv2Generator(align_corners).eval()


# Checkpoints


def test_the_names_are_the_published_ones() -> None:
    """Written down from animegan2-pytorch's model.py, block by block."""
    names = set()
    units = {"block_a": (0, 1, 2), "block_b": (0, 1), "block_c": (0, 5), "block_d": (0, 1), "block_e": (0, 1, 2)}
    for block, places in units.items():
        names |= {f"{block}.{i}.{part}" for i in places for part in ("1.weight", "2.weight", "2.bias")}
    residual = ["0.1.weight", "0.2.weight", "0.2.bias", "1.1.weight", "1.1.bias", "1.2.weight", "1.2.bias"]
    residual += ["2.weight", "3.weight", "3.bias"]
    names |= {f"block_c.{i}.layers.{part}" for i in (1, 2, 3, 4) for part in residual}
    assert set(generator().state_dict()) == names | {"out_layer.0.weight"}


@pytest.mark.parametrize("wrapper", [None, "state_dict", "module", "safetensors"])
def test_state_dicts_are_found_in_what_trainers_wrap_around_them(tmp_path: Path, wrapper: str | None) -> None:
    state = generator().state_dict()
    file = tmp_path / "weights.pt"
    if wrapper == "safetensors":
        from safetensors.torch import save_file

        file = file.with_suffix(".safetensors")
        save_file(state, file)
    elif wrapper == "module":
        torch.save({"epoch": 3, "generator": OrderedDict((f"module.{k}", v.half()) for k, v in state.items())}, file)
    else:
        torch.save({wrapper: state} if wrapper else state, file)
    read = generator_state(file)
    assert list(read) == list(state) and all(tensor.dtype == torch.float32 for tensor in read.values())
    assert all(torch.allclose(read[key], state[key], atol=1e-3) for key in state)


def test_a_checkpoint_becomes_a_style_in_either_convention(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(generator().state_dict(), tmp_path / "face.pt")
    command = ["import", str(tmp_path / "face.pt"), "--license", "mine"]
    assert main([*command, "--name", "first", "--upsampling", "half-pixel"]) == 0
    assert main([*command, "--name", "second", "--upsampling", "align-corners", "--description", "like a face"]) == 0
    assert {file.name for file in home.iterdir()} == {
        f"{n}.{s}" for n in ("first", "second") for s in ("onnx", "toml", "md")
    }
    assert list(list_styles())[-2:] == ["first", "second"]
    assert main(["styles"]) == 0
    assert "like a face" in capsys.readouterr().out
    photo = photo_of(61, 83)  # no multiple of four, so padding is on the way
    padded = np.pad(photo, ((0, 3), (0, 1), (0, 0)), mode="reflect")
    painted = {}
    for name, align in (("first", False), ("second", True)):
        painted[name] = Stylizer.load(name)(photo)
        expected = paint_whole(generator(align), padded)[:61, :83]  # type: ignore[arg-type]
        assert np.abs(painted[name].astype(int) - expected).max() <= 1
    assert np.abs(painted["first"].astype(int) - painted["second"]).max() > 1
    card = (home / "second.md").read_text()
    assert "align-corners" in card and "mine" in card and str(list_styles()["second"].sha256) in card


def test_the_convention_has_to_be_said(tmp_path: Path) -> None:
    torch.save(generator().state_dict(), tmp_path / "face.pt")
    with pytest.raises(Photo2AnimeError, match="--upsampling align-corners .* or --upsampling half-pixel"):
        import_style(StyleImport(tmp_path / "face.pt", "face"))


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("evil"),))  # type: ignore[return-value]


def _wrong_files() -> dict[str, object]:
    other = generator().state_dict()
    return {
        "is missing|are missing.*discriminator": {"discriminator.a": torch.zeros(1)},
        "a VGG": {"features.0.weight": torch.zeros(1)},
        "photo2anime export": {"ema": {}, "generator": {"head.weight": torch.zeros(1), "tail.weight": torch.zeros(1)}},
        "out_layer.0.weight has shape .*another size": {**other, "out_layer.0.weight": torch.zeros(3, 16, 1, 1)},
        "holds extra.weight too": {**other, "extra.weight": torch.zeros(1)},
        "no tensors by name": {"step": 3},
        "it could run code; it may be a whole pickled model": nn.Conv2d(3, 3, 1),
        "because it could run code": _Evil(),
    }


@pytest.mark.parametrize("said", _wrong_files())
def test_a_wrong_checkpoint_is_named(tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(_wrong_files()[said], tmp_path / "weights.pt")
    with pytest.raises(Photo2AnimeError, match=said):
        import_style(StyleImport(tmp_path / "weights.pt", "face", "half-pixel"))
    assert not list_styles().keys() & {"face"} and not list(styles_folder().iterdir())
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\x1c\0\0\0TFL3", "TensorFlow Lite"),
        (b"", "is empty"),
        (b"nonsense", "could"),
    ],
)
@pytest.mark.parametrize("suffix", [".pt", ".onnx", ".safetensors"])
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, said: str, suffix: str) -> None:
    file = tmp_path / f"weights{suffix}"
    file.write_bytes(content)
    with pytest.raises(Photo2AnimeError, match=said) as error:
        import_style(StyleImport(file, "face", None if suffix == ".onnx" else "half-pixel"))
    assert str(file) in str(error.value) and "\n" not in str(error.value)


def test_torchscript_and_parts_of_tensorflow_checkpoints_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.jit.script(nn.ReLU()).save(str(tmp_path / "script.pt"))  # type: ignore[no-untyped-call]
    with pytest.raises(Photo2AnimeError, match="TorchScript"):
        import_style(StyleImport(tmp_path / "script.pt", "face", "half-pixel"))
    for suffix in (".index", ".data-00000-of-00001"):
        (tmp_path / f"Paprika{suffix}").write_bytes(b"x")
    with pytest.raises(Photo2AnimeError, match="part of a TensorFlow checkpoint; give its prefix"):
        import_style(StyleImport(tmp_path / "Paprika.index", "face", "half-pixel"))
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # as if it were not installed
    with pytest.raises(Photo2AnimeError, match="pip install tensorflow"):
        import_style(StyleImport(tmp_path / "Paprika", "face", "half-pixel"))


def tensorflow_variables() -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """Random values for the variables that net/generator.py of AnimeGANv2 makes, written down scope by scope."""
    rng = np.random.default_rng(0)
    names = []
    for block, units in (("A", 3), ("B", 2), ("C", 2), ("D", 2), ("E", 3)):
        for i in range(units):
            number = f"_{i}" if i else ""
            names += [
                f"{block}/Conv{number}/weights",
                f"{block}/LayerNorm{number}/gamma",
                f"{block}/LayerNorm{number}/beta",
            ]
    for r in ("r1", "r2", "r3", "r4"):
        inside = ["Conv/weights", "LayerNorm/gamma", "LayerNorm/beta", f"{r}/w", f"{r}/bias", "1/gamma", "1/beta"]
        names += [f"C/{r}/{part}" for part in [*inside, "Conv_1/weights", "2/gamma", "2/beta"]]
    names = [f"generator/G_MODEL/{name}" for name in [*names, "out_layer/Conv/weights"]]
    wanted = generator().state_dict()
    assert {tensorflow_key(name) for name in names} == set(wanted) and len(names) == len(wanted)
    variables = {}
    for name in names:
        shape = tuple(wanted[str(tensorflow_key(name))].shape)
        if len(shape) == 4:
            out, channels, height, width = shape
            shape = (height, width, out, channels) if name.endswith("/w") else (height, width, channels, out)
        variables[name] = rng.normal(size=shape).astype(np.float32)
    return variables


def test_tensorflow_variables_are_renamed_and_turned() -> None:
    variables = tensorflow_variables()
    variables["generator/G_MODEL/A/Conv/weights/Adam"] = np.zeros(3, np.float32)
    variables["discriminator/conv_0/weights"] = np.zeros(3, np.float32)
    state = from_tensorflow_variables(variables)
    generator().load_state_dict(state)
    kernel = variables["generator/G_MODEL/A/Conv_1/weights"]
    assert float(state["block_a.1.1.weight"][5, 7, 1, 2]) == kernel[1, 2, 7, 5]
    depthwise = variables["generator/G_MODEL/C/r2/r2/w"]
    assert float(state["block_c.2.layers.1.1.weight"][9, 0, 1, 2]) == depthwise[1, 2, 9, 0]


def test_a_tensorflow_checkpoint_becomes_a_style(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    variables = tensorflow_variables()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        saved = [tf.compat.v1.get_variable(name, initializer=tf.constant(v)) for name, v in variables.items()]
        session.run(tf.compat.v1.global_variables_initializer())
        prefix = tf.compat.v1.train.Saver(saved).save(session, str(tmp_path / "Paprika.ckpt"), global_step=100)
    import_style(StyleImport(Path(prefix), "theirs", "half-pixel"))
    network = generator()
    network.load_state_dict(from_tensorflow_variables(variables))
    photo = np.random.default_rng(0).uniform(-1, 1, (1, 3, 64, 96)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(photo)).numpy()
    assert np.abs(Stylizer.load("theirs").network(photo) - expected).max() < 1e-3


# ONNX files


@pytest.mark.parametrize(("nhwc", "size"), [(True, None), (False, 64)])
def test_an_onnx_file_becomes_a_style_with_what_was_found_out(tmp_path: Path, nhwc: bool, size: int | None) -> None:
    file = write_network(tmp_path / "net.onnx", nhwc=nhwc, stride=16, size=size)
    card = import_style(StyleImport(file, "same", license="mine"))
    assert (card.layout, card.license) == ("NHWC" if nhwc else "NCHW", "mine")
    assert card.fixed_size == ((size, size) if size else None) and (size or card.multiple_of == 16)
    file.unlink()
    photo = photo_of(50, 81)
    assert np.array_equal(Stylizer.load("same")(photo), photo)
    assert main(["paint", "-s", "same", str(_saved(photo, tmp_path))]) == 0
    assert (tmp_path / "photo-same.png").exists()


def _saved(photo: np.ndarray, folder: Path) -> Path:  # type: ignore[type-arg]
    from PIL import Image

    Image.fromarray(photo).save(folder / "photo.png")
    return folder / "photo.png"


def test_our_own_exports_keep_their_facts(tmp_path: Path) -> None:
    from photo2anime.inference.weights import local_file

    shipped = list_styles()["cel"]
    shutil.copyfile(local_file(shipped), tmp_path / "x.onnx")
    card = import_style(StyleImport(tmp_path / "x.onnx", "mine"))
    for fact in ("sha256", "description", "layout", "multiple_of", "halo", "tiling", "bytes_per_px", "mean_color"):
        assert getattr(card, fact) == getattr(shipped, fact), fact
    assert card.license in shipped.license


@pytest.mark.parametrize(
    ("operation", "said"), [("ReduceMax", "answers|same size"), ("Exp10", "values up to"), ("Log", "are no numbers")]
)
def test_a_network_that_paints_no_picture_is_refused(tmp_path: Path, operation: str, said: str) -> None:
    nodes = [helper.make_node(operation, ["x"], ["y"])]
    if operation == "Exp10":
        nodes = [helper.make_node("Mul", ["x", "ten"], ["y"])]
    ten = onnx.numpy_helper.from_array(np.full((1,), 127, np.float32), "ten")
    shape: list[int | str] = [1, 3, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "wrong",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [ten],
    )
    file = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    with pytest.raises(Photo2AnimeError, match=said):
        import_style(StyleImport(file, "wrong"))
    assert "wrong" not in list_styles()


def test_weights_in_other_files_are_missed_before_anything_is_installed(tmp_path: Path) -> None:
    model = onnx.load(write_network(tmp_path / "net.onnx", stride=8))
    onnx.save(model, tmp_path / "split.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    with pytest.raises(Photo2AnimeError, match=r"split\.onnx keeps a part of itself in another file"):
        import_style(StyleImport(tmp_path / "split.onnx", "split"))


# Names and the folder


def test_names_are_protected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_network(tmp_path / "net.onnx")
    for name, said in (("hayao", "shipped style"), ("all", "cannot be"), ("../x", "cannot be"), ("Mine", "cannot be")):
        assert main(["import", str(file), "--name", name]) == 2
        assert said in capsys.readouterr().err
    assert main(["import", str(file), "--name", "mine"]) == 0
    assert main(["import", str(file), "--name", "mine"]) == 2
    assert "--replace" in capsys.readouterr().err
    assert main(["import", str(file), "--name", "mine", "--replace", "--description", "second"]) == 0
    assert list_styles()["mine"].description == "second"
    assert main(["import", str(tmp_path / "none.onnx"), "--name", "other"]) == 2
    assert "no such file" in one_line(capsys.readouterr().err)
    assert main(["import", str(file), "--name", "other", "--upsampling", "half-pixel"]) == 2


def test_doctor_tells_of_damaged_styles_and_the_rest_still_works(tmp_path: Path, home: Path) -> None:
    card = import_style(StyleImport(write_network(tmp_path / "net.onnx"), "mine"))
    Path(card.file).write_bytes(b"half a downl")
    (home / "hayao.toml").write_text('[hayao]\nfile = "x.onnx"\n')
    for name, text in (
        ("broken", "not = [toml"),
        ("two", "[a]\n[b]\n"),
        ("no-file", "[no-file]\n"),
        ("odd", "odd = 3\n"),
    ):
        (home / f"{name}.toml").write_text(text)
    list_styles.cache_clear()
    assert list_styles()["hayao"].sha256 and set(list_styles()) >= {"mine", "hayao"}
    assert len(installed_styles()[1]) == 5
    said = {finding.line: finding.mend for finding in examine() if finding.mend}
    assert any("mine" in line and "--replace" in str(mend) for line, mend in said.items())
    assert any("is a shipped style" in line for line in said)
    with pytest.raises(Photo2AnimeError, match="not the file that was installed"):
        Stylizer.load("mine")
