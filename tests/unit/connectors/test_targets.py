"""Which addresses may be called: whatever a name resolves to is looked at, in every disguise."""

import ipaddress
from collections.abc import Sequence

import pytest

from connectors.targets import TargetRefused, TargetUnknown, checked, host_of, may_call, networks
from runtime.settings import Settings

NOWHERE = Settings(private_targets="")
LOOPBACK = Settings(private_targets="127.0.0.0/8, ::1/128")


def at(*addresses: str):
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.0.9",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::7f00:1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "fe80::1",
    "fd00:ec2::254",
    "fc00::1",
    "ff02::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]


@pytest.mark.parametrize("address", PRIVATE)
async def test_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(TargetRefused, match="private address"):
        await checked("https://hook.example/x", NOWHERE, at("8.8.8.8", address))


@pytest.mark.parametrize("address", PUBLIC)
async def test_what_is_public_is_pinned(address: str) -> None:
    target = await checked("https://hook.example:8443/x?y=1", NOWHERE, at(address))
    assert target.addresses == (str(ipaddress.ip_address(address)),)
    assert str(target.url) == "https://hook.example:8443/x?y=1"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_a_setting_allows_networks(address: str) -> None:
    assert (await checked("http://localhost:1/", LOOPBACK, at(address))).addresses


async def test_a_setting_allows_no_more_than_it_says() -> None:
    with pytest.raises(TargetRefused, match=r"10\.0\.0\.1"):
        await checked("http://mixed.example/", LOOPBACK, at("127.0.0.1", "10.0.0.1"))


@pytest.mark.parametrize("url", ["ftp://a.example/", "file:///etc/passwd", "//a.example/", "http://", "http:///x", "gopher://a", "http://a.example:99999/", "http://[::1", "x" * 3000])  # fmt: skip
async def test_what_is_no_url_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(TargetRefused):
        await checked(url, NOWHERE, at("8.8.8.8"))


async def test_an_address_written_as_a_number_is_looked_at_as_the_system_reads_it() -> None:
    with pytest.raises(TargetRefused, match=r"127\.0\.0\.1"):
        await checked("http://2130706433/", NOWHERE)


async def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    with pytest.raises(TargetUnknown):
        await checked("http://nowhere.example/", NOWHERE, at())


async def test_user_and_password_are_taken_out_of_the_address() -> None:
    target = await checked("https://ada:secret@hook.example/x", NOWHERE, at("8.8.8.8"))
    assert (str(target.url), target.userinfo) == ("https://hook.example/x", b"ada:secret")


def test_hosts_are_told_apart_by_port() -> None:
    assert [host_of(url) for url in ("https://a.example/x", "https://a.example:443/", "http://u:p@A.example:81/")] == [
        "a.example",
        "a.example",
        "a.example:81",
    ]


def test_the_setting_is_a_list() -> None:
    assert may_call(ipaddress.ip_address("10.9.9.9"), networks("127.0.0.0/8, 10.0.0.0/8"))
