"""Run the mail sink: two ports and a folder come in; it serves until SIGTERM."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from launcher.mailsink import smtp, web
from launcher.mailsink.behaviour import Mood
from launcher.mailsink.mailbox import Mailbox


def main() -> None:
    options = argparse.ArgumentParser(prog="launcher.mailsink")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--smtp-port", type=int, default=1025)
    options.add_argument("--http-port", type=int, default=8025)
    options.add_argument("--folder", type=Path, required=True)
    asked = options.parse_args()
    mailbox, mood = Mailbox(asked.folder), Mood()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        server = await smtp.serve(mailbox, mood, asked.host, asked.smtp_port)
        yield
        server.close()

    app = web.application(mailbox, mood, lifespan)
    config = uvicorn.Config(app, asked.host, asked.http_port, log_level="warning", timeout_graceful_shutdown=2)
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
