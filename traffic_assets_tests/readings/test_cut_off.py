"""Text files that end within a row, and files that only lack the last line break."""

import pytest

from traffic_assets.readings.cut_off import END_BYTES, is_cut_off

HEADER = b"sensor_id,timestamp,speed"


@pytest.mark.parametrize(
    ("end", "kind", "cut"),
    [
        (b"7,t,66\n", "csv", False),
        (b"7,t,66\r\n", "csv", False),
        (b"7,t,66\n7,t,6", "csv", False),
        (b"7,t,66\n7,t", "csv", True),
        (b'7,t,66\n"7,8",t,6', "csv", False),
        (b'7,t,66\n"7,8",t', "csv", True),
        (HEADER, "csv", False),
        ("7,t,66\n7,t".encode("utf-16-le"), "csv", False),
        (b"7" * END_BYTES, "csv", False),
        (b'{"speed": 66}', "json", False),
        (b'{"speed": 66}\n{"spe', "json", True),
    ],
)
def test_a_file_is_cut_off_if_its_last_row_is_not_whole(end: bytes, kind: str, cut: bool) -> None:
    assert is_cut_off(HEADER + b"\n", end, kind) is cut
