"""Where we may call: in comes an address that anybody may have written, out come the machines behind it, each checked.

Private, loopback, link-local and multicast addresses are refused unless they lie inside `PRIVATE_TARGETS`. Who calls
uses the addresses that were checked, and resolves nothing again: a name cannot point elsewhere between the two.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import httpx

from runtime.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> its addresses as text. Raises OSError."""

LONGEST_URL: Final = 2048
MOST_ADDRESSES: Final = 16
PORTS: Final = {"http": 80, "https": 443}
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class TargetRefused(Exception):
    """This address must not be called, ever as long as it stays so; the text says why."""


class TargetUnknown(Exception):
    """The name of the host cannot be resolved now."""


@dataclass(frozen=True)
class Target:
    """A URL without user and password, and the addresses of its host: every one of them may be called."""

    url: httpx.URL
    addresses: tuple[str, ...]
    userinfo: bytes = b""


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """As this machine resolves names."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def checked(url: str, settings: Settings, resolve: Resolve = system_resolve) -> Target:
    """Raises `TargetRefused` for what is no http(s) URL or leads to an address that is not allowed, `TargetUnknown`."""
    parsed = parse(url)
    addresses = await _addresses(parsed, resolve)
    allowed = networks(settings.private_targets)
    for address in addresses:
        if not may_call(address, allowed):
            raise TargetRefused(
                f"{parsed.host} is at the private address {address}, which PRIVATE_TARGETS does not allow"
            )
    bare = parsed.copy_with(userinfo=b"")
    return Target(bare, tuple(str(address) for address in addresses), parsed.userinfo)


def parse(url: str) -> httpx.URL:
    """Raises `TargetRefused` for what is no absolute http(s) URL."""
    if len(url) > LONGEST_URL:
        raise TargetRefused(f"The address is longer than {LONGEST_URL} characters")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise TargetRefused(f"This is no address that can be called: {error}") from None
    if parsed.scheme not in PORTS or not parsed.host:
        raise TargetRefused("The address must begin with http:// or https:// and name a host")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise TargetRefused(f"There is no port {parsed.port}")
    return parsed


def host_of(url: str) -> str:
    """The host that circuits and limits count, with its port unless it is the scheme's own; the URL as it is when torn."""
    try:
        parsed = parse(url)
    except TargetRefused:
        return url[:100]
    return parsed.host if parsed.port is None else f"{parsed.host}:{parsed.port}"


@lru_cache(maxsize=16)
def networks(setting: str) -> tuple[Network, ...]:
    """`127.0.0.0/8,10.0.0.0/8` as networks. Raises ValueError."""
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in setting.split(",") if part.strip())


def may_call(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether the address, or the one that it wraps, is public or inside an allowed network."""
    inner = _unwrapped(address)
    if any(one in network for one in (inner, address) for network in allowed):
        return True
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one: mapped, 6to4, Teredo, NAT64."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or int(address) >> 32 == 0:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner if int(address) not in (0, 1) else address
    return address


async def _addresses(url: httpx.URL, resolve: Resolve) -> list[Address]:
    port = url.port or PORTS[url.scheme]
    try:
        found = await resolve(url.host, port)
    except (OSError, UnicodeError) as error:
        raise TargetUnknown(f"{url.host} cannot be resolved: {error}") from None
    if not found:
        raise TargetUnknown(f"{url.host} has no address")
    try:
        return [ipaddress.ip_address(text.partition("%")[0]) for text in found[:MOST_ADDRESSES]]
    except ValueError:
        raise TargetRefused(f"{url.host} has an address of an unknown kind") from None
