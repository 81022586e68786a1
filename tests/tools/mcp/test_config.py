"""The file of MCP_SERVERS: what is right is taken, what is wrong is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import BadSetting
from app.tools.mcp.config import read_servers, servers_of
from app.wiring import create_app, load_settings
from tests.support.in_process import DEFAULTS

FOLDER = Path("/etc/tandem")
GOOD = """
[servers.files]
command = "npx"
args = ["-y", "@modelcontextprotocol/server-filesystem", "/srv"]
env = { TOKEN = "${SECRET}", PLAIN = "a" }
cwd = "work"
tools = ["read_file"]
approval = "always"
idempotent = ["read_file"]
timeout_s = 5

[servers.web-2]
url = "https://example.org/mcp"
headers = { Authorization = "Bearer ${SECRET}" }
protocol = "2025"
"""


def test_all_that_is_allowed() -> None:
    servers = servers_of(GOOD, FOLDER, {"SECRET": "s3"})
    files, web = servers["files"], servers["web-2"]

    assert files.reached() == {
        "command": "npx",
        "args": ["-y", "@modelcontextprotocol/server-filesystem", "/srv"],
        "env": {"TOKEN": "s3", "PLAIN": "a"},
        "cwd": "/etc/tandem/work",
        "protocol": "auto",
    }
    assert (files.approval, files.idempotent, files.timeout_s) == ("always", ["read_file"], 5)
    assert files.allows("read_file") and not files.allows("write_file") and web.allows("any")
    assert web.reached() == {
        "url": "https://example.org/mcp",
        "headers": {"Authorization": "Bearer s3"},
        "protocol": "2025",
    }


def test_no_servers_are_none() -> None:
    assert servers_of("", FOLDER, {}) == {}


A = "[servers.a]\n"
COMMAND = A + 'command = "x"\n'


@pytest.mark.parametrize(
    "text,said",
    [
        ("servers = 1", "servers: must be tables"),
        ("[server.a]\n", "server: unknown; there are [servers.<name>] tables"),
        ("[servers.a", "cannot be read: "),
        (A, "servers.a: must have either command or url"),
        (COMMAND + 'url = "http://a"', "servers.a: must have either command or url"),
        ("[servers]\na = 1", "servers.a: must be a table"),
        ('[servers."a b"]\ncommand = "x"', "servers.a b: its name must be 1 to 32"),
        ("[servers._a]\ncommand = 'x'", "servers._a: its name must be"),
        (f"[servers.{'a' * 33}]\ncommand = 'x'", "its name must be"),
        (A + 'command = ""', "servers.a.command: string should have at least 1 character"),
        (A + "command = 1", "servers.a.command: input should be a valid string"),
        (COMMAND + 'args = "-y"', "servers.a.args: input should be a valid list"),
        (COMMAND + "env = { A = 1 }", "servers.a.env.A: input should be a valid string"),
        (COMMAND + "headers = {}", "servers.a.headers: is nothing for a server with command"),
        (A + 'url = "http://a"\ncwd = "."', "servers.a.cwd: is nothing for a server with url"),
        (A + 'url = "ftp://a"', "servers.a.url: must begin with http"),
        (A + 'url = "http://"', "servers.a.url: must begin with http"),
        (A + 'url = "http://a:99999"', "servers.a.url: must begin with http"),
        (A + 'url = "http://a"\nheaders = { "a b" = "" }', "servers.a.headers: 'a b' is no name"),
        (A + 'url = "http://a"\nheaders = { a = "b\\nc" }', "servers.a.headers.a: must be one"),
        (A + 'url = "http://a"\nheaders = { a = "${NO}" }', "a: NO is not in the environment"),
        (COMMAND + 'approval = "maybe"', "servers.a.approval: input should be 'never' or 'always'"),
        (COMMAND + 'protocol = "2024"', "servers.a.protocol: input should be 'auto' or '2025'"),
        (COMMAND + "timeout_s = 0", "servers.a.timeout_s: input should be greater than or equal"),
        (COMMAND + 'timeout_s = "5"', "servers.a.timeout_s: input should be a valid number"),
        (COMMAND + 'tool = ["a"]', "servers.a.tool: unknown; there are command, args, env, cwd"),
        (COMMAND + 'tools = ["a"]\nidempotent = ["b"]', "servers.a.idempotent: 'b' is not among"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError) as wrong:
        servers_of(text, FOLDER, {})
    assert said in str(wrong.value)


def test_what_is_wrong_is_not_repeated_where_it_may_be_secret() -> None:
    with pytest.raises(ValueError) as wrong:
        servers_of(COMMAND + 'env = { A = ["s3cret"] }', FOLDER, {})
    assert "s3cret" not in str(wrong.value)


def test_a_folder_is_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "mcp.toml").write_text(COMMAND + 'cwd = "there"')
    assert read_servers(str(tmp_path / "mcp.toml"), {})["a"].cwd == str(tmp_path / "there")


@pytest.mark.parametrize(
    "text,said", [(None, "No such file or directory"), (A, "servers.a: must have either")]
)
def test_a_wrong_file_stops_the_start(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "mcp.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadSetting) as bad:
        create_app(load_settings({**DEFAULTS, "MCP_SERVERS": str(file)}))
    assert str(bad.value).startswith(f"MCP_SERVERS is '{file}': ") and said in str(bad.value)
