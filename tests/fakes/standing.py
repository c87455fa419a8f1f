"""A fake as a real server: in comes what answers requests, out goes its base URL on loopback. Works beside any loop.

A fake is a callable from `httpx.Request` to `httpx.Response`: the same one stands behind a mock transport in virtual time.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

Tool = Callable[[httpx.Request], httpx.Response]


@contextmanager
def standing(tool: Tool, port: int = 0) -> Iterator[str]:
    """The tool behind HTTP until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(tool))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _handler(tool: Tool) -> type[BaseHTTPRequestHandler]:
    one_at_a_time = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = f"http://{self.headers['Host']}{self.path}"
            request = httpx.Request(self.command, url, headers=list(self.headers.items()), content=content)
            with one_at_a_time:
                response = tool(request)
            self.send_response(response.status_code)
            for name, value in response.headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.content)))
            self.end_headers()
            self.wfile.write(response.content)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 -- http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Tests say themselves what they saw."""

    return Handler
