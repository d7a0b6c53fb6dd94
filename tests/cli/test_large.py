"""`onenet predict` with large images: from file to file in tiles; here everything above 40 pixels is large."""

import io

import numpy as np
import pytest
from PIL import Image

import onenet
from onenet.cli import large
from onenet.cli.large import parse_memory
from onenet.deploy import segmenter, streaming
from onenet.errors import ConfigError
from onenet.images import read_mask


@pytest.fixture
def predict(onenet_command, tiny_model, monkeypatch):
    monkeypatch.setattr(segmenter, "WHOLE", 40)
    monkeypatch.setattr(streaming, "WHOLE", 40)
    return lambda *words, **options: onenet_command("predict", tiny_model, *words, **options)


@pytest.fixture
def photo(tmp_path):
    random = np.random.default_rng(0)
    soft = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((301, 290))
    soft.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def expected(tiny_model, photo):
    drawer = onenet.Segmenter(tiny_model)
    drawer.tile = 0
    return drawer(photo)


@pytest.mark.parametrize("words", [[], ["--tile", "64"], ["--tile", "0"], ["--save", "mask,cutout,overlay"]])
def test_a_large_image_has_the_mask_that_it_would_have_in_one_piece(predict, photo, tmp_path, expected, words):
    done = predict(photo, *words)
    assert (done.code, done.err) == (0, "")
    assert (read_mask(tmp_path / "predictions/photo.png") != expected.mask).mean() < 1e-4  # ties may fall either way
    drawn = np.asarray(Image.open(tmp_path / "predictions/photo.overlay.png")).astype(int)
    assert (abs(drawn - np.asarray(expected.overlay())).max(2) > 0).mean() < 1e-3


def test_its_mask_goes_to_standard_output_too(predict, photo, expected):
    mask = np.asarray(Image.open(io.BytesIO(predict(photo, "--out", "-").out_bytes)))
    assert (mask != expected.mask).mean() < 1e-4


def test_a_limit_of_memory_chooses_the_tiles(predict, photo, tmp_path, expected):
    assert predict(photo, "--memory", "64 GB").code == 0
    assert (read_mask(tmp_path / "predictions/photo.png") != expected.mask).mean() < 1e-4
    assert "a limit of 1 MB: with the smallest tiles this takes" in predict(photo, "--memory", "1MB").error


@pytest.mark.parametrize("whole", [40, 10**9])
def test_where_the_model_wants_images_smaller_only_reading_is_in_strips(
    onenet_command, tiny_model, photo, tmp_path, monkeypatch, whole
):
    monkeypatch.setattr(large, "_SCALED_WHOLE", whole)
    network = onenet.load(tiny_model)
    onenet.save(network, tmp_path / "small.safetensors", network.card.replace(fit="cover", size=(48, 48)))
    assert onenet_command("predict", tmp_path / "small.safetensors", photo).code == 0
    mask = onenet.Segmenter(tmp_path / "small.safetensors")(photo).mask
    assert (read_mask(tmp_path / "predictions/photo.png") != mask).mean() <= (0 if whole > 40 else 0.01)


def test_beyond_the_decoders_limit_strips_are_read_and_nothing_else_unless_asked_for(predict, photo, monkeypatch):
    Image.open(photo).save(photo.with_suffix(".jpg"), progressive=True)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40_000)
    assert predict(photo, "--save", "mask").code == 0
    assert "cutout of an image beyond the decoder's safety limit" in predict(photo, "--save", "cutout").error
    error = predict(photo.with_suffix(".jpg"), "--save", "mask", "--out", "others").error
    assert "290x301 pixels are beyond the decoder's safety limit" in error and "--any-size" in error
    done = predict(photo.with_suffix(".jpg"), "--save", "mask", "--any-size")
    assert done.code == 0 and "is read whole (a progressive JPEG must be decoded whole)" in done.err
    assert predict(photo, "--save", "cutout", "--any-size").code == 0


def test_a_bad_one_among_large_images_is_reported_and_the_rest_go_on(predict, photo, tmp_path):
    (tmp_path / "cut.png").write_bytes(photo.read_bytes()[:20_000])
    done = predict(photo, tmp_path / "cut.png", "--save", "mask")
    assert done.code == 2 and "cut.png: the image is damaged or unreadable" in done.err
    assert [path.name for path in (tmp_path / "predictions").iterdir()] == ["photo.png"]


@pytest.mark.parametrize(("text", "count"), [
    ("300MB", 300_000_000), ("300", 300_000_000), ("1.5 GB", 1_500_000_000), ("2GiB", 2 << 30), ("500k", 500_000),
    ("64MiB", 64 << 20),
])  # fmt: skip
def test_memory_is_written_as_people_write_it(text, count):
    assert parse_memory(text) == count


@pytest.mark.parametrize("text", ["much", "-3MB", "0", "3 TB", "MB"])
def test_what_is_no_memory_is_refused(text):
    with pytest.raises(ConfigError, match="is no size; for example 300MB"):
        parse_memory(text)


def test_tile_and_memory_are_not_both_given(predict, photo):
    assert "--tile and --memory both say" in predict(photo, "--tile", "64", "--memory", "1GB").error


def test_a_limit_of_memory_is_kept_where_the_model_wants_images_smaller_too(
    onenet_command, tiny_model, photo, tmp_path, monkeypatch
):
    network = onenet.load(tiny_model)
    onenet.save(network, tmp_path / "small.safetensors", network.card.replace(fit="cover", size=(48, 48)))
    streamed = []
    monkeypatch.setattr("onenet.deploy.streaming.draw_file", lambda *words: streamed.append(words) or [photo])
    words = ("predict", tmp_path / "small.safetensors", photo, "--memory")
    assert onenet_command(*words, "64GB").code == 0 and not streamed
    monkeypatch.setattr(large, "_WHOLE", 10**6)  # bytes a pixel
    assert onenet_command(*words, "64GB").code == 0 and len(streamed) == 1
    done = onenet_command(*words, "1MB")
    assert done.code == 2 and "a limit of 1 MB: the model alone takes" in done.err
