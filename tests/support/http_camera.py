"""A camera over HTTP whose answers are written byte by byte."""

import socketserver
import threading


class HttpCamera:
    """Answers the n-th request with `answers[n]` (the last one from then on): bytes, or pieces of them.

    `requests` holds what was asked, heads included.
    """

    def __init__(self, *answers):
        camera, self.requests = self, []
        self._stop = threading.Event()

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                lines = iter(self.rfile.readline, b"")
                head = []
                for line in lines:
                    if not line.strip():
                        break
                    head.append(line.decode())
                answer = answers[min(len(camera.requests), len(answers) - 1)]
                camera.requests.append("".join(head))
                try:
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        self.wfile.write(piece)
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/video"

    def __enter__(self):
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def answer(body, kind="image/jpeg", status="200 OK", *lines):
    """An HTTP answer that ends with its connection."""
    head = "\r\n".join([f"HTTP/1.1 {status}", *([f"Content-Type: {kind}"] if kind else []), *lines, "", ""])
    return head.encode() + body
