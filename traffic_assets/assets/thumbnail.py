"""Thumbnails of figures: small enough for Dagster's event log, which keeps every event forever."""

import io

WIDTHS = (640, 480, 360, 240, 160, 96)
"""Widths to try, in pixels, the largest first."""
COLORS = 48


def make_thumbnail(content: bytes, limit: int) -> bytes:
    """Return a PNG at the largest of some widths that fits into a number of bytes.

    Args:
        content: Figure, PNG.
        limit: Maximum size in bytes. A figure that fits is returned unchanged.
    """
    from PIL import Image

    if len(content) <= limit:
        return content
    figure = Image.open(io.BytesIO(content)).convert("RGB")
    small = content
    for width in WIDTHS:
        scaled = figure.copy()
        scaled.thumbnail((width, 2 * width))  # keeps the proportions
        buffer = io.BytesIO()
        scaled.quantize(COLORS).save(buffer, format="PNG", optimize=True)
        small = buffer.getvalue()
        if len(small) <= limit:
            break
    return small
