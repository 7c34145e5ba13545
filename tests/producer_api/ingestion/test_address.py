import subprocess
import sys
from pathlib import Path

import pytest

from producer_api.ingestion.address import login, shown, without_login


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("rtsp://user:secret@10.0.0.7:554/main?channel=1", "rtsp://10.0.0.7:554/main?channel=1"),
        ("RTSP://secret@roof/", "rtsp://roof/"),
        ("http://h/cam/realmonitor?channel=1&subtype=0", "http://h/cam/realmonitor?channel=1&subtype=0"),
        ("http://h/videostream.cgi?user=secret&pwd=1234", "http://h/videostream.cgi?user=***&pwd=***"),
        ("http://h/video.cgi?resolution=640x480&auth=c2VjcmV0", "http://h/video.cgi?resolution=640x480&auth=***"),
        ("http://h/api.cgi?cmd=Snap&rs=secret;password=secret", "http://h/api.cgi?cmd=Snap&rs=***;password=***"),
        ("http://h/a?channel=secretsecretsecret", "http://h/a?channel=***"),
        ("http://h/a?secret", "http://h/a?***"),
        ("http://h/a;jsessionid=secret1/b#token=secret", "http://h/a;jsessionid=***/b#token=***"),
        (
            "rtsp://h/user=secret&password=secret&channel=1&stream=0",
            "rtsp://h/user=***&password=***&channel=1&stream=0",
        ),
        ("rtsp://h:554/user=secret_password=secret_channel=1_stream=0.sdp", "rtsp://h:554/user=***"),
        ("rtsps://h:7441/aBcD1234eFgH5678", "rtsps://h:7441/***"),
        ("http://h/live/token/s3cr3t/main", "http://h/live/token/***/main"),
        ("rtsp://user:se/cret@h/main", "rtsp://***"),
        ("rtsp://user:se?cret@h/main", "rtsp://***"),
        ("rtsp://user:1/secret@h/main", "rtsp://***"),
        ("rtsp://user:secret/main", "rtsp://***"),
        ("http://h/a?user=a&password=p@secret", "http://***"),
        ("rtsp://user:secret@[fe80::1]:554/main", "rtsp://[fe80::1]:554/main"),
        ("rtsp://h/Streaming/Channels/101", "rtsp://h/Streaming/Channels/101"),
        ("http://h/axis-cgi/mjpg/video.cgi", "http://h/axis-cgi/mjpg/video.cgi"),
        ("user:secret@h/main", "***@h/main"),
        ("in/2026-07-01T08:30:00.mp4", "in/2026-07-01T08:30:00.mp4"),
    ],
)
def test_what_of_an_address_is_shown(address, wanted):
    assert shown(address) == wanted
    assert "secret" not in shown(address)


def test_a_file_keeps_its_name(tmp_path):
    (tmp_path / "a:b@c.mp4").touch()
    assert shown(str(tmp_path / "a:b@c.mp4")).endswith("a:b@c.mp4")


def test_login():
    assert login("http://us%3Aer:pa%40ss:w@h/x") == ("us:er", "pa@ss:w")
    assert login("http://h/x?a=b@c") is None
    assert without_login("http://user:secret@h:1/x?y=1") == "http://h:1/x?y=1"


@pytest.mark.skipif(sys.platform != "linux", reason="of /proc")
def test_ps_shows_no_password():
    code = (
        "import sys, pathlib; from producer_api.ingestion.address import hide_arguments; "
        "hide_arguments(sys.argv[1:2]); print(pathlib.Path('/proc/self/cmdline').read_bytes().split(b'\\0'), sys.argv)"
    )
    command = [sys.executable, "-c", code, "rtsp://user:secret@roof/main", "--camera", "roof"]
    seen = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True).stdout
    listed, _, arguments = seen.partition("] [")
    assert "secret" not in listed
    assert "b'--camera', b'roof'" in listed
    assert "rtsp://user:secret@roof/main" in arguments
