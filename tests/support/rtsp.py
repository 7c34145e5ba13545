"""A camera that streams H.264 over RTSP (RFC 2326), RTP in the same connection, to who knows its password."""

import base64
import io
import itertools
import socketserver
import struct
import threading
import time

import av
from photographs import picture

CREDENTIALS = "user:secret"
NAL_START = b"\x00\x00\x01"
DESCRIPTION = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=camera
c=IN IP4 0.0.0.0
t=0 0
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1
a=control:track1
"""


def encoded(count, size):
    """So many frames, each a list of NAL units; every one can be decoded on its own."""
    with av.open(io.BytesIO(), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "1", "slices": "1"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        frames = [stream.encode(av.VideoFrame.from_image(picture(number, size))) for number in range(count)]
    return [[unit.strip(b"\x00") for unit in bytes(packet).split(NAL_START) if unit] for [packet] in frames]


class RtspCamera(socketserver.ThreadingTCPServer):
    """Serves `frames` frames at `fps`, then hangs up; `sent` of them so far. Of the `damaged` ones most is missing."""

    daemon_threads = True

    def __init__(self, frames, fps, size=(160, 120), damaged=()):
        super().__init__(("127.0.0.1", 0), Connection)
        self.frames, self.fps, self.sent, self.visits = encoded(frames, size), fps, 0, 0
        for number in damaged:
            self.frames[number][-1] = self.frames[number][-1][:100] + bytes(200)
        self.url = f"rtsp://{CREDENTIALS}@127.0.0.1:{self.server_address[1]}/stream"

    def __enter__(self):
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()


class Connection(socketserver.StreamRequestHandler):
    """One visitor."""

    def handle(self):
        try:
            while request := self.rfile.readline().split():
                lines = iter(lambda: self.rfile.readline().decode().strip(), "")
                self.answer(request[0].decode(), dict(line.split(": ", 1) for line in lines))
        except OSError:
            pass

    def answer(self, method, headers):
        known = headers.get("Authorization") == "Basic " + base64.b64encode(CREDENTIALS.encode()).decode()
        if method != "OPTIONS" and not known:
            self.reply(headers, "401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"')
        elif method == "DESCRIBE":
            self.reply(headers, "200 OK", "Content-Type: application/sdp", body=DESCRIPTION)
        elif method == "SETUP":
            self.reply(headers, "200 OK", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1")
        else:
            self.reply(headers, "200 OK", "Session: 1", "Public: DESCRIBE, SETUP, PLAY, TEARDOWN")
        if method == "PLAY":
            self.play()

    def reply(self, headers, status, *lines, body=""):
        head = [f"RTSP/1.0 {status}", f"CSeq: {headers['CSeq']}", *lines, f"Content-Length: {len(body)}"]
        self.wfile.write("\r\n".join([*head, "", body]).encode())

    def play(self):
        """Each NAL unit in one RTP packet (RFC 6184), framed as RFC 2326, section 10.12, says."""
        camera, numbers = self.server, itertools.count()
        camera.visits += 1
        for number, units in enumerate(camera.frames):
            for unit in units:
                marker = 0x80 if unit is units[-1] else 0
                rtp = (
                    struct.pack(">BBHII", 0x80, marker | 96, next(numbers), int(number * 90000 / camera.fps), 1) + unit
                )
                self.wfile.write(struct.pack(">cBH", b"$", 0, len(rtp)) + rtp)
            camera.sent = number + 1
            time.sleep(1 / camera.fps)
        self.connection.shutdown(2)
