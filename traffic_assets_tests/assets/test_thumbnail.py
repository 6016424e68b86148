"""Thumbnails of figures, small enough for an event."""

import io
import random

from PIL import Image

from traffic_assets.assets.presentation import THUMBNAIL_BYTES
from traffic_assets.assets.thumbnail import WIDTHS, make_thumbnail


def noise(width: int, height: int) -> bytes:
    """Return a PNG that compresses badly."""
    pixels = random.Random(1).randbytes(3 * width * height)
    buffer = io.BytesIO()
    Image.frombytes("RGB", (width, height), pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def test_a_large_figure_is_scaled_until_it_fits() -> None:
    figure = noise(1200, 900)
    small = make_thumbnail(figure, THUMBNAIL_BYTES)
    assert len(figure) > 1_000_000
    assert len(small) <= THUMBNAIL_BYTES
    width, height = Image.open(io.BytesIO(small)).size
    assert width in WIDTHS
    assert abs(width * 3 / 4 - height) <= 1, "the aspect ratio is kept"


def test_a_small_figure_is_not_changed() -> None:
    figure = noise(10, 10)
    assert make_thumbnail(figure, THUMBNAIL_BYTES) == figure
