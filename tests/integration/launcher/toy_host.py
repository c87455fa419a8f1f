"""Stands in for `runtime.host` in the supervisor's tests: ready at once, tells its environment, dies when told to."""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Told(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/die":
            os._exit(3)
        body = json.dumps({"roles": sys.argv[1:], "env": dict(os.environ), "pid": os.getpid()}).encode()
        self.send_response(503 if "never-ready" in os.environ.get("MAIL_FROM", "") else 200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        return


if __name__ == "__main__":
    if "crash-at-start" in os.environ.get("MAIL_FROM", ""):
        sys.exit("cannot go on: the toy was told to crash")
    ops = ThreadingHTTPServer(("127.0.0.1", int(os.environ["OPS_PORT"])), Told)
    threading.Thread(target=ops.serve_forever, daemon=True).start()
    ThreadingHTTPServer((os.environ["HTTP_HOST"], int(os.environ["HTTP_PORT"])), Told).serve_forever()
