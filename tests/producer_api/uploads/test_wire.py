"""Uploads on the wire, through the server that runs in production: how clients frame what they send."""

import socket
import threading
import time

import pytest
import uvicorn

from ops.ports import free_port
from producer_api.uploads.endpoints import Shortcut
from schemas.image import ImageEvent

TYPE = b"Content-Type: multipart/form-data; boundary=XyZ\r\n"


@pytest.fixture
def port(app):
    chosen = free_port()
    config = uvicorn.Config(Shortcut(app), port=chosen, http="httptools", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield chosen
    server.should_exit = True
    thread.join()


@pytest.fixture
def body(jpeg):
    head = b'--XyZ\r\nContent-Disposition: form-data; name="file"; filename="leaf.jpg"\r\n\r\n'
    return head + jpeg + b"\r\n--XyZ--\r\n"


class Client:
    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.read = self.connection.makefile("rb")

    def send(self, *headers, body=b"", target=b"/predict", version=b"1.1"):
        head = b"POST %b HTTP/%b\r\nHost: x\r\n" % (target, version) + b"".join(headers)
        self.connection.sendall(head + b"\r\n" + body)
        return self

    def answer(self):
        status = int(self.read.readline().split()[1])
        headers = dict(line.rstrip().lower().split(b": ", 1) for line in iter(self.read.readline, b"\r\n"))
        return status, self.read.read(int(headers.get(b"content-length", 0)))

    def close(self):
        self.read.close()
        self.connection.close()


@pytest.fixture
def client(port):
    made = Client(port)
    yield made
    made.close()


def length(body):
    return b"Content-Length: %d\r\n" % len(body)


def chunked(body, size, extension=b"", trailer=b""):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return framed + b"0\r\n" + trailer + b"\r\n"


def stored(acceptance, jpeg, count=1):
    events = [ImageEvent.read(one.key, one.value, one.headers()) for _, one in acceptance.accepted]
    assert [event.jpeg for event in events] == [jpeg] * count


@pytest.mark.parametrize(
    "framing", [{"size": 1}, {"size": 1000, "extension": b";a=b"}, {"size": 10**6, "trailer": b"X: y\r\n"}]
)
def test_a_chunked_body(client, acceptance, jpeg, body, framing):
    client.send(TYPE, b"Transfer-Encoding: chunked\r\n", body=chunked(body, **framing))
    assert client.answer()[0] == 202
    stored(acceptance, jpeg)


def test_a_client_that_asks_first_gets_100_continue(client, acceptance, jpeg, body):
    client.send(TYPE, length(body), b"Expect: 100-continue\r\n")
    assert client.answer() == (100, b"")
    client.connection.sendall(body)
    assert client.answer()[0] == 202
    stored(acceptance, jpeg)


@pytest.mark.usefixtures("overloaded")
def test_a_client_that_asks_first_is_refused_without_sending(client, body):
    client.send(TYPE, length(body), b"Expect: 100-continue\r\n")
    assert client.answer()[0] == 503


def test_a_client_that_asks_first_with_too_much_is_refused_without_sending(client):
    client.send(TYPE, b"Content-Length: 999999999\r\n", b"Expect: 100-continue\r\n")
    assert client.answer()[0] == 413


def test_several_uploads_on_one_connection_sent_before_the_first_answer(client, acceptance, jpeg, body):
    for _ in range(3):
        client.send(TYPE, length(body), body=body)
    assert [client.answer()[0] for _ in range(3)] == [202] * 3
    stored(acceptance, jpeg, 3)


def test_a_refused_upload_leaves_the_connection_usable(client, acceptance, jpeg, body):
    client.send(TYPE, b"X-Uploader: " + b"x" * 200 + b"\r\n", length(body), body=body)
    assert client.answer()[0] == 422
    client.send(TYPE, length(body), body=body)
    assert client.answer()[0] == 202
    stored(acceptance, jpeg)


def test_an_old_client(client, acceptance, jpeg, body):
    client.send(TYPE, length(body), body=body, version=b"1.0")
    assert client.answer()[0] == 202
    stored(acceptance, jpeg)


def test_a_body_that_comes_byte_by_byte(client, acceptance, jpeg, body):
    client.send(TYPE, length(body))
    for at in range(300):
        client.connection.sendall(body[at : at + 1])
    client.connection.sendall(body[300:])
    assert client.answer()[0] == 202
    stored(acceptance, jpeg)


def test_the_photograph_itself(client, acceptance, jpeg):
    client.send(b"Content-Type: image/jpeg\r\n", b"Transfer-Encoding: chunked\r\n", body=chunked(jpeg, 500))
    assert client.answer()[0] == 202
    stored(acceptance, jpeg)


def test_a_query_or_no_body_at_all(client, body):
    client.send(TYPE, length(body), body=body, target=b"/predict?x=%FF")
    assert client.answer()[0] == 202
    client.send()
    assert client.answer()[0] == 422


def test_a_batch_in_chunks_of_any_size(client, acceptance, jpeg, body):
    client.send(TYPE, b"Transfer-Encoding: chunked\r\n", body=chunked(body, 333), target=b"/predict/batch")
    assert client.answer()[0] == 202
    stored(acceptance, jpeg)
