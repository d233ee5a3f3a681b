"""A home of one file on 127.0.0.1, with every way in which a real one goes wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Home:
    """What the server holds, how it misbehaves, and what it was asked."""

    content: bytes
    etag: str = '"first"'
    modified: str = ""
    breaks_after: int | None = None  # bytes of the body that are sent before the connection ends
    refuses: int | None = None  # a status that is sent instead
    says_length: bool = True
    wrong_range: bool = False
    url: str = ""
    ranges: list[str | None] = field(default_factory=list)  # the Range header of each request

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers["Range"]
        self.ranges.append(wanted)
        if self.refuses:
            request.send_error(self.refuses)
            return
        start = 0
        if wanted and request.headers["If-Range"] in (None, self.etag, self.modified):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                request.send_error(416)
                return
            request.send_response(206)
            first = 0 if self.wrong_range else start
            request.send_header("Content-Range", f"bytes {first}-{len(self.content) - 1}/{len(self.content)}")
        else:
            request.send_response(200)
        body = self.content[start:]
        if self.etag:
            request.send_header("ETag", self.etag)
        if self.modified:
            request.send_header("Last-Modified", self.modified)
        if self.says_length:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body if self.breaks_after is None else body[: self.breaks_after])


@contextmanager
def serving(content: bytes) -> Iterator[Home]:
    home = Home(content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            home.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output free of it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        home.url = f"http://127.0.0.1:{server.server_port}/corpus.zip"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield home
        finally:
            server.shutdown()
            thread.join()
