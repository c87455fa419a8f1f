"""`python -m launcher up|down|demo`: what the Makefile calls; wishes come as environment variables."""

import argparse
import asyncio
import os
import sys

from launcher.suite import Suite, WrongWish, suite_of


def main() -> int:
    options = argparse.ArgumentParser(prog="launcher", description=__doc__)
    options.add_argument("what", choices=["up", "down", "demo"])
    asked = options.parse_args()
    try:
        suite = suite_of(os.environ)
    except WrongWish as error:
        sys.stderr.write(f"\nalarum: {error}\n")
        return 1
    try:
        return _run(asked.what, suite)
    except KeyboardInterrupt:
        sys.stderr.write("\nalarum: you stopped this; what was started goes on. `make down` ends it.\n")
        return 130


def _run(what: str, suite: Suite) -> int:
    match what:
        case "up" | "down" if suite.in_containers:
            from launcher import containers

            return asyncio.run((containers.up if what == "up" else containers.down)(suite))
        case "up":
            from launcher.up import up

            return asyncio.run(up(suite))
        case "down":
            from launcher.down import down

            return asyncio.run(down(suite))
        case _:
            from launcher.demo import demo

            return asyncio.run(demo())


if __name__ == "__main__":
    sys.exit(main())
