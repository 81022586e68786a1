"""The file of MCP_SERVERS: which servers there are, and what is allowed of each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}\Z")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110, section 5.6.2
NAMES_RULE = "must be 1 to 32 letters, digits, - and _, and begin with a letter or a digit"


class ServerOptions(BaseModel):
    """One server: a command that is run and talked to, or the address of one that runs."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    command: Annotated[str, Field(min_length=1)] | None = None
    args: list[str] = []
    env: dict[str, str] = {}  # besides HOME, PATH and the like: nothing else of ours is passed on
    cwd: str | None = None  # relative to the file
    url: str | None = None
    headers: dict[str, str] = {}
    protocol: Literal["auto", "2025"] = "auto"  # 2025: begin with a session, without asking
    tools: list[str] | None = None  # only these, by the server's own names
    approval: Literal["never", "always"] = "never"
    idempotent: list[str] = []
    timeout_s: Annotated[float, Field(ge=0.05, le=3600)] | None = None

    def allows(self, tool: str) -> bool:
        """Whether this tool of the server's may be used."""
        return self.tools is None or tool in self.tools

    def reached(self) -> dict[str, Any]:
        """Return what is needed to reach it."""
        if self.command is None:
            how: dict[str, Any] = {"url": self.url, "headers": self.headers}
        else:
            how = {"command": self.command, "args": self.args, "env": self.env, "cwd": self.cwd}
        return {**how, "protocol": self.protocol}


def read_servers(file: str, environ: Mapping[str, str]) -> dict[str, ServerOptions]:
    """Return the servers of a file; `${NAME}` in an env or a header is that of the environment.

    Raises OSError; ValueError, which says where what is wrong.
    """
    path = Path(file)
    return servers_of(path.read_text(), path.absolute().parent, environ)


def servers_of(text: str, folder: Path, environ: Mapping[str, str]) -> dict[str, ServerOptions]:
    """Return the servers of a file's text. Raises ValueError."""
    try:
        data = tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"cannot be read: {error}") from None  # it says the line
    for name in data.keys() - {"servers"}:
        raise ValueError(f"{name}: unknown; there are [servers.<name>] tables")
    servers = data.get("servers", {})
    if not isinstance(servers, dict):
        raise ValueError("servers: must be tables, [servers.<name>] each")
    return {name: _server(name, entry, folder, environ) for name, entry in servers.items()}


def _server(name: str, entry: Any, folder: Path, environ: Mapping[str, str]) -> ServerOptions:
    where = f"servers.{name}"
    if not SERVER_NAME.match(name):
        raise ValueError(f"{where}: its name {NAMES_RULE}")
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: must be a table with command or url")
    try:
        options = ServerOptions.model_validate(entry)
    except ValidationError as error:
        raise ValueError(_wrong(where, error)) from None
    _check(where, options)
    return options.model_copy(
        update={
            "env": _filled(f"{where}.env", options.env, environ),
            "headers": _filled(f"{where}.headers", options.headers, environ),
            "cwd": None if options.cwd is None else str(folder / options.cwd),
        }
    )


def _wrong(where: str, error: ValidationError) -> str:
    """Return what is wrong first, without what was written: it may be secret."""
    found = error.errors(include_input=False, include_url=False)[0]
    place = ".".join([where, *map(str, found["loc"])])
    if found["type"] == "extra_forbidden":
        return f"{place}: unknown; there are {', '.join(ServerOptions.model_fields)}"
    message = found["msg"]
    return f"{place}: {message[0].lower()}{message[1:]}"


def _check(where: str, options: ServerOptions) -> None:
    if (options.command is None) == (options.url is None):
        raise ValueError(f"{where}: must have either command or url")
    of_other = ("headers",) if options.url is None else ("args", "env", "cwd")
    for name in of_other:
        if name in options.model_fields_set:
            beside = "command" if options.url is None else "url"
            raise ValueError(f"{where}.{name}: is nothing for a server with {beside}")
    if options.url is not None and not _is_web_address(options.url):
        raise ValueError(f"{where}.url: must begin with http:// or https://, and have a host")
    for name in options.headers:
        if not HEADER_NAME.match(name):
            raise ValueError(f"{where}.headers: {name!r} is no name of a header")
    for tool in options.idempotent:
        if not options.allows(tool):
            raise ValueError(f"{where}.idempotent: {tool!r} is not among its tools")


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _filled(where: str, values: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values with variables put in."""
    filled = {}
    for name, value in values.items():
        for variable in VARIABLE.findall(value):
            if variable not in environ:
                raise ValueError(f"{where}.{name}: {variable} is not in the environment")
        filled[name] = VARIABLE.sub(lambda found: environ[found[1]], value)
        if not filled[name].isprintable():
            raise ValueError(f"{where}.{name}: must be one line of printable text")
    return filled
