"""Images as models get them: turned, stripped, scaled; the bytes themselves where nothing is to be
done."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from app.attachments import images
from app.attachments.images import BadImage, for_model

MANY = 10_000_000
RED, BLUE = (250, 10, 10), (10, 10, 250)
ORIENTATION = 0x0112


def picture(size: tuple[int, int] = (40, 20), mode: str = "RGB") -> Image.Image:
    """Return an image that is red at the left, blue at the right."""
    made = Image.new("RGB", size, RED)
    made.paste(BLUE, (size[0] // 2, 0, *size))
    return made.convert(mode)


def written(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def exif(orientation: int = 1, camera: str = "Hush 3000") -> Image.Exif:
    made = Image.Exif()
    made[ORIENTATION] = orientation
    made[0x0110] = camera
    return made


def near(pixel: Any, colour: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 40 for one, other in zip(pixel[:3], colour, strict=True))


def commented_png() -> bytes:
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", "hush")
    return written(picture(), pnginfo=said)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (written(picture()), "image/png"),
        (written(picture(mode="RGBA")), "image/png"),
        (written(picture(mode="P")), "image/png"),
        (written(picture(), "JPEG"), "image/jpeg"),
        (written(picture(), "JPEG", progressive=True, dpi=(72, 72)), "image/jpeg"),
    ],
    ids=["PNG", "with alpha", "palette", "JPEG", "progressive"],
)
def test_an_image_with_nothing_to_do_is_its_own_bytes(data: bytes, media_type: str) -> None:
    assert for_model(data, media_type, MANY) == (data, media_type, 40, 20)


@pytest.mark.parametrize(
    ("orientation", "size", "top_left", "bottom_right"),
    [
        (1, (40, 20), RED, BLUE),
        (2, (40, 20), BLUE, RED),
        (3, (40, 20), BLUE, RED),
        (4, (40, 20), RED, BLUE),
        (5, (20, 40), RED, BLUE),
        (6, (20, 40), RED, BLUE),
        (7, (20, 40), BLUE, RED),
        (8, (20, 40), BLUE, RED),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_turned_as_its_camera_was_held(
    format: str, orientation: int, size: tuple[int, int], top_left: Any, bottom_right: Any
) -> None:
    data = written(picture(), format, exif=exif(orientation))
    made, media_type, *made_size = for_model(data, f"image/{format.lower()}", MANY)

    image = opened(made)
    assert tuple(made_size) == image.size == size
    assert near(image.convert("RGB").getpixel((2, 2)), top_left)
    assert near(image.convert("RGB").getpixel((size[0] - 3, size[1] - 3)), bottom_right)
    assert ORIENTATION not in image.getexif()
    assert media_type == ("image/png" if format == "PNG" else "image/jpeg")


@pytest.mark.parametrize(
    "data",
    [
        written(picture(), "JPEG", exif=exif()),
        written(picture(), "JPEG", comment=b"hush"),
        written(picture(), "JPEG", xmp=b"<x>hush</x>"),
        commented_png(),
        written(picture(), "PNG", exif=exif(camera="hush")),
        written(picture(), "WEBP", exif=exif(), xmp=b"hush"),
        written(picture(mode="P"), "GIF", comment=b"hush"),
    ],
    ids=["EXIF", "comment", "XMP", "PNG's text", "PNG's EXIF", "WebP's", "GIF's"],
)
def test_what_was_written_into_it_stays_here(data: bytes) -> None:
    assert b"hush" in data.lower()

    made, *_ = for_model(data, "image/png", MANY)

    assert b"hush" not in made.lower()
    assert not opened(made).getexif()


@pytest.mark.parametrize(
    ("size", "most", "made_size"),
    [
        ((400, 200), 80_000, (400, 200)),
        ((400, 200), 20_000, (200, 100)),
        ((2000, 1), 100, (447, 1)),
        ((9000, 2), MANY, (8000, 1)),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_it_is_scaled_down_in_its_proportions(
    format: str, size: tuple[int, int], most: int, made_size: tuple[int, int]
) -> None:
    made, _, *told = for_model(written(picture(size), format), "image/png", most)

    assert tuple(told) == opened(made).size == made_size


def test_a_turned_picture_is_scaled_too() -> None:
    data = written(picture((400, 200)), "JPEG", exif=exif(6))

    assert for_model(data, "image/jpeg", 20_000)[2:] == (100, 200)


def test_what_one_sees_through_stays_so_when_scaled() -> None:
    image = picture((400, 200), "RGBA")
    image.putalpha(7)
    made, media_type, *_ = for_model(written(image), "image/png", 20_000)

    assert (media_type, opened(made).getpixel((5, 5))[3]) == ("image/png", 7)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (written(picture(mode="P"), "GIF"), "image/png"),
        (written(picture(), "WEBP"), "image/jpeg"),
        (written(picture(mode="RGBA"), "WEBP"), "image/jpeg"),  # nothing of it is clear
        (written(picture(mode="CMYK"), "JPEG", comment=b"x"), "image/jpeg"),
        (written(picture(mode="LA"), "PNG", exif=exif()), "image/png"),
        (written(picture(mode="1"), "PNG", exif=exif()), "image/png"),
    ],
    ids=["GIF", "WebP", "opaque WebP", "CMYK", "grey with alpha", "black and white"],
)
def test_other_formats_and_modes_become_what_every_model_takes(
    data: bytes, media_type: str
) -> None:
    made, told, width, height = for_model(data, "image/x", MANY)

    image = opened(made)
    assert told == media_type == Image.MIME[image.format or ""]
    assert (width, height) == image.size == (40, 20)
    assert image.mode in {"RGB", "RGBA", "L"}


def test_sixteen_bits_of_grey_are_not_cut() -> None:
    image = Image.new("I;16", (4, 4), 32768)
    made, *_ = for_model(written(image, exif=exif()), "image/png", MANY)

    assert opened(made).getpixel((0, 0)) in {127, 128}


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_picture_is_sent(format: str) -> None:
    frames = [Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)]
    data = written(frames[0], format, save_all=True, append_images=frames[1:], duration=40)
    made, *_ = for_model(data, "image/gif", MANY)

    assert getattr(opened(made), "n_frames", 1) == 1
    assert near(opened(made).convert("RGB").getpixel((3, 3)), RED)


def test_what_is_too_heavy_becomes_a_jpeg_and_smaller() -> None:
    noise = Image.effect_noise((1500, 1500), 90).convert("RGB")
    noise = Image.merge("RGB", [noise.getchannel(0), noise.rotate(90).getchannel(0),
                                noise.rotate(180).getchannel(0)])  # fmt: skip
    data = written(noise)
    assert len(data) > images.MOST_BYTES

    made, media_type, *_ = for_model(data, "image/png", MANY)

    assert media_type == "image/jpeg"
    assert len(made) <= images.MOST_BYTES


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is no image/png"),
        (b"GIF89a", "it is no image/png"),
        (b"%PDF-1.7", "it is no image/png"),
        (written(picture())[:-30], "it cannot be read to its end"),
        (written(picture((300, 300)), "JPEG")[:700], "it cannot be read to its end"),
        (written(picture(), "BMP"), "it is no image/png"),
        (written(picture()).replace(b"\0\0\0\x28\0\0\0\x14", b"\0\1\0\0\0\1\0\0"), "it"),
    ],
    ids=["nothing", "a head", "a PDF", "half a PNG", "half a JPEG", "a BMP", "a bomb"],
)
def test_what_is_no_image_is_said(data: bytes, why: str) -> None:
    with pytest.raises(BadImage, match=f"^{why}"):
        for_model(data, "image/png", MANY)


@pytest.mark.parametrize("tag, kind", [(0x0110, 12), (0x010F, 3), (0x0112, 2), (0x8769, 5)])
def test_exif_that_is_none_is_no_reason_to_show_nothing(tag: int, kind: int) -> None:
    entries = [(0x0112, 3, 1, 6), (tag, kind, 1, 8)]
    ifd = struct.pack("<H", len(entries))
    ifd += b"".join(struct.pack("<HHII", *entry) for entry in entries) + struct.pack("<I", 0)
    data = written(picture(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + ifd)

    made, media_type, *size = for_model(data, "image/jpeg", MANY)
    assert media_type == "image/jpeg" and sorted(size) == sorted(picture().size)
