"""A camera that streams MJPEG over HTTP."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class MjpegCamera:
    """Serves `frames` (JPEGs) at `fps`, then hangs up; counts its visitors."""

    def __init__(self, frames, fps):
        camera = self
        self.visits = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                camera.visits += 1
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                try:
                    for number, jpeg in enumerate(frames):
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                        camera.last = number
                        time.sleep(1 / fps)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://user:secret@127.0.0.1:{self._server.server_port}/stream"

    def __enter__(self):
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
