"""A small web server that behaves as GitHub Pages does with a project: prefix, gzip, parts of files, 404.html."""

import gzip
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Stated here, not asked of the system: Windows takes the type of .js from the registry, and Python 3.11 knows no .mjs.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
# What nginx knows as Debian installs it, of the kinds of files in the book; all else is sent as bytes.
COMMON = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "application/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
COMPRESSED = {".html", ".css", ".js", ".mjs", ".json", ".svg"}
# The engine of the formulas comes late, as it does over a slow line: the text has been painted by then, so that the
# measured layout shift is what a reader sees.
LATE = {"tex-chtml.js": 0.4}
HELD: dict[str, threading.Event] = {}  # files that are not sent before their event


PART = re.compile(r"bytes=(\d+)-(\d+)")


def handler_for(root: Path, prefix: str, types: dict[str, str], parts: bool) -> type[BaseHTTPRequestHandler]:
    """Make a request handler that serves `root` under `prefix`, which begins and ends with a slash.

    Without `parts` it sends the whole file to whoever asks for a range of its bytes, as simple servers do.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file, status = self.find(unquote(urlsplit(self.path).path))
            time.sleep(LATE.get(file.name, 0))
            if gate := HELD.get(file.name):
                gate.wait()
            body = file.read_bytes()
            if compress := file.suffix in COMPRESSED:
                body = gzip.compress(body, mtime=0)
            asked = PART.fullmatch(self.headers.get("Range", ""))
            if parts and asked and status == 200 and not compress and int(asked[1]) < len(body):
                first, last = int(asked[1]), min(int(asked[2]), len(body) - 1)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
                body = body[first : last + 1]
            else:
                self.send_response(status)
            if parts:
                self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", types.get(file.suffix, "application/octet-stream"))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Content-Length", str(len(body)))
            if compress:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            with suppress(ConnectionError):  # a browser that has read enough hangs up
                self.wfile.write(body)

        def find(self, path: str) -> tuple[Path, int]:
            file = (root / path.removeprefix(prefix)).resolve()
            file = file / "index.html" if file.is_dir() else file
            found = path.startswith(prefix) and file.is_file() and file.is_relative_to(root)
            return (file, 200) if found else (root / "404.html", 404)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing: the tests report what the browser saw."""

    return Handler


@contextmanager
def held(name: str) -> Iterator[None]:
    """Keep back a file of this name until the end of the block; whether it has been asked for by then plays no part."""
    HELD[name] = threading.Event()
    try:
        yield
    finally:
        HELD.pop(name).set()


@contextmanager
def serve(root: Path, prefix: str, types: dict[str, str] = TYPES, parts: bool = True) -> Iterator[str]:
    """Serve a folder on a free port, with these types of files; yields the address of the prefix, with its slash."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_for(root.resolve(), prefix, types, parts)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
        server.shutdown()
