"""Files that the public reads: in come all files of a page, out comes a folder that changes from one moment to the next.

    versions/<subdomain>-<digest>/…   everything that one page is made of, never changed once it is there
    live/<subdomain>                  a link to one of them, replaced by rename: readers see the old page or the new one
    hosts.json                        which host name shows which page

The same content is the same version, so that several writers do not disturb each other, nor the same one that starts again.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

LIVE: Final = "live"
VERSIONS: Final = "versions"
HOSTS: Final = "hosts.json"

Files = Mapping[str, bytes]
"""Path below the page's root -> content."""


class Shelf:
    """Writes below one folder. Raises OSError when that cannot be done."""

    def __init__(self, root: Path) -> None:
        self._live, self._versions, self._hosts = root / LIVE, root / VERSIONS, root / HOSTS

    def put(self, subdomain: str, files: Files) -> bool:
        """Show these files from now on; says whether they differ from what was shown."""
        version = self._versions / f"{subdomain}-{_digest(files)}"
        if self._shown(subdomain) == version.name:
            return False
        before = self._shown(subdomain)
        if not version.is_dir():
            self._write(version, files)
        self._link(subdomain, version)
        self._forget_older(subdomain, {version.name, before})
        return True

    def remove(self, subdomain: str) -> None:
        """Show nothing there any more."""
        (self._live / subdomain).unlink(missing_ok=True)
        self._forget_older(subdomain, set())

    def shown(self) -> set[str]:
        """The subdomains at which something is shown."""
        return {link.name for link in self._live.iterdir() if link.is_symlink()} if self._live.is_dir() else set()

    def name_hosts(self, hosts: Mapping[str, str]) -> None:
        """Which host name shows which subdomain's page."""
        content = json.dumps(dict(sorted(hosts.items())), indent=1).encode()
        if not self._hosts.is_file() or self._hosts.read_bytes() != content:
            self._hosts.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._hosts.with_name(_temporary(HOSTS))
            fresh.write_bytes(content)
            fresh.replace(self._hosts)

    def _write(self, version: Path, files: Files) -> None:
        fresh = version.with_name(_temporary(version.name))
        try:
            for name, content in files.items():
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            fresh.rename(version)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            if not version.is_dir():  # else another writer was faster: the same content is there
                raise

    def _link(self, subdomain: str, version: Path) -> None:
        self._live.mkdir(parents=True, exist_ok=True)
        fresh = self._live / _temporary(subdomain)
        fresh.symlink_to(os.path.relpath(version, self._live), target_is_directory=True)
        fresh.replace(self._live / subdomain)

    def _shown(self, subdomain: str) -> str | None:
        try:
            return (self._live / subdomain).readlink().name
        except OSError:
            return None

    def _forget_older(self, subdomain: str, kept: Iterable[str | None]) -> None:
        """The version before the last stays: somebody may be reading it."""
        for version in self._versions.iterdir() if self._versions.is_dir() else ():
            if version.name.rpartition("-")[0] == subdomain and version.name not in set(kept):
                shutil.rmtree(version, ignore_errors=True)


def _digest(files: Files) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return digest.hexdigest()[:16]


def _temporary(name: str) -> str:
    """No page's name: those hold no dots."""
    return f".{name}.{uuid4().hex}"
