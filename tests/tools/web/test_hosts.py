"""Which hosts may be asked: by their names, their ports, and all of their addresses."""

from __future__ import annotations

import pytest

from app.tools.tool import ToolError
from app.tools.web.hosts import Hosts
from app.tools.web.urls import parse
from tests.support.web import Names


def found(hosts: Hosts, url: str) -> list[str]:
    return [str(address) for address in hosts.addresses_of(parse(url))]


def refused(hosts: Hosts, url: str) -> str:
    with pytest.raises(ToolError) as error:
        hosts.addresses_of(parse(url))
    return str(error.value)


def test_public_addresses_of_a_name_are_given_in_order_each_once() -> None:
    names = Names(a_example=[["8.8.8.8", "2606:4700::1111", "8.8.8.8"]])
    assert found(Hosts(resolver=names), "https://a.example/") == ["8.8.8.8", "2606:4700::1111"]
    assert names.asked == [("a.example", 443)]


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],
        ["8.8.8.8", "2606:4700::1111", "fe80::1%eth0"],
        ["8.8.8.8", "::ffff:169.254.169.254"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::1"],
        ["0.0.0.0"],
        ["8.8.8.8", "nonsense"],
        [],
    ],
)
def test_one_answer_that_may_not_be_asked_refuses_all(answer: list[str]) -> None:
    hosts = Hosts(resolver=Names(a_example=[answer]))
    assert refused(hosts, "http://a.example/") == "There is no public address for a.example."


def test_a_name_that_is_private_looks_like_one_that_is_not_known() -> None:
    hosts = Hosts(resolver=Names(wiki_example=[["10.0.0.7"]]))
    private = refused(hosts, "http://wiki.example/").replace("wiki", "")
    assert private == refused(hosts, "http://none.example/").replace("none", "")


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://a.localhost/",
        "http://LOCALHOST./",
        "http://router/",
        "http://printer.local/",
        "http://metadata.google.internal/",
        "http://box.home.arpa/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://a.example:8080/",
        "http://8.8.8.8:22/",
    ],
)
def test_what_is_local_by_its_name_is_not_looked_up(url: str) -> None:
    names = Names()
    refused(Hosts(resolver=names), url)
    assert names.asked == []


@pytest.mark.parametrize(
    "entry,url,is_allowed",
    [
        ("wiki.my.org", "http://wiki.my.org/", True),
        ("WIKI.my.org", "https://wiki.my.org/", True),
        ("wiki.my.org", "http://wiki.my.org:8080/", False),
        ("wiki.my.org", "http://a.wiki.my.org/", False),
        ("wiki.my.org:8080", "http://wiki.my.org:8080/", True),
        ("wiki.my.org:8080", "http://wiki.my.org/", False),
        (".my.org", "http://my.org/", True),
        (".my.org", "http://wiki.my.org/", True),
        (".my.org", "http://notmy.org/", False),
        ("*.my.org", "http://wiki.my.org/", True),
        ("*.my.org", "http://my.org/", False),
        (".my.org:81", "http://wiki.my.org:81/", True),
        ("wiki", "http://wiki/", True),
        ("10.0.0.7", "http://10.0.0.7/", True),
        ("10.0.0.7", "http://0xa.7/", True),
        ("10.0.0.7", "http://10.0.0.8/", False),
        ("127.0.0.1:8000", "http://127.1:8000/", True),
        ("127.0.0.1:8000", "http://localhost:8000/", False),
        ("[::1]:8000", "http://[0::1]:8000/", True),
        ("[fd00::7]", "http://[fd00::7]/", True),
        ("fd00:0:0::7", "http://[fd00::7]/", True),
        ("fd00::7", "http://[fd00::7]:8080/", False),
        ("169.254.169.254", "http://169.254.169.254/", False),  # whatever is listed
        ("fd00:ec2::254", "http://[fd00:ec2::254]/", False),
        ("0.0.0.0:80", "http://0.0.0.0/", False),
    ],
)
def test_hosts_that_are_listed_may_be_private(entry: str, url: str, is_allowed: bool) -> None:
    answers = {
        "wiki_my_org": [["10.0.0.7"]],
        "my_org": [["fd00::7"]],
        "a_wiki_my_org": [["10.0.0.7"]],
        "notmy_org": [["10.0.0.7"]],
        "wiki": [["10.0.0.7"]],
        "localhost": [["127.0.0.1"]],
    }
    hosts = Hosts([entry], Names(**answers))
    if is_allowed:
        assert found(hosts, url)
    else:
        refused(hosts, url)


def test_a_listed_name_leads_to_no_metadata() -> None:
    hosts = Hosts(["wiki.my.org"], Names(wiki_my_org=[["169.254.169.254"]]))
    refused(hosts, "http://wiki.my.org/")


def test_a_public_host_may_be_listed_for_another_port() -> None:
    hosts = Hosts(["a.example:8080"], Names(a_example=[["8.8.8.8"]]))
    assert found(hosts, "http://a.example:8080/") == ["8.8.8.8"]
    assert found(hosts, "http://a.example/") == ["8.8.8.8"]
