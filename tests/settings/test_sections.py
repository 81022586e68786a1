"""Tandem's own settings: what is accepted, what is refused in which words, what is derived."""

from __future__ import annotations

import re

import pytest

from app.settings import BadSetting, secrets_of, settings_of
from app.wiring import Settings, load_settings

PEM = "-----BEGIN PUBLIC KEY-----\\nMFkw\\n-----END PUBLIC KEY-----"
SECRET = "s" * 32
REDIS = "redis://:hush@localhost:6379/0"
SECRETS = {"JWT_SECRET": SECRET, "OPENAI_API_KEY": "sk-one", "GEMINI_API_KEY": "two"}
SECRET_NAME = re.compile(r"_KEY$|SECRET|TOKEN$|PASSWORD|PASSWD|CREDENTIAL|^REDIS_URL$")


def refused(**environ: str) -> str:
    with pytest.raises(BadSetting) as bad:
        load_settings(environ)
    return str(bad.value)


def test_without_settings_the_server_is_local_and_open() -> None:
    settings = load_settings({})

    assert (settings.auth.mode, settings.server.on_loopback) == ("off", True)
    assert settings == Settings()


@pytest.mark.parametrize("setting", settings_of(Settings), ids=lambda setting: setting.name)
def test_a_default_can_be_written(setting) -> None:  # type: ignore[no-untyped-def]
    assert load_settings({setting.name: setting.default}) == Settings()


@pytest.mark.parametrize(
    "name,value,allowed",
    [
        ("DATABASE_URL", "mysql://x", "sqlite:///<path> (four slashes for an absolute one), "),
        ("DATABASE_URL", "sqlite:///", "sqlite:///<path> (four slashes for an absolute one), "),
        ("CORS_ORIGINS", "example.com", "origins like https://chat.example.com, separated by"),
        ("CORS_ORIGINS", "https://*", "origins like https://chat.example.com"),
        ("CORS_ORIGINS", "https://a.*.b", "origins like https://chat.example.com"),
        ("CORS_ORIGINS", "https://*a.b", "origins like https://chat.example.com"),
        ("CORS_ORIGINS", "*.example.com", "origins like https://chat.example.com"),
        ("CORS_ORIGINS", "http://localhost:5*", "origins like https://chat.example.com"),
        ("CORS_ORIGINS", "https://bücher.example", "origins like https://chat.example.com"),
        ("CORS_ORIGINS", "null", "origins like https://chat.example.com"),
        ("ALLOWED_HOSTS", "https://a.b", "host names like chat.example.com"),
        ("ALLOWED_HOSTS", "a.*.b", "host names like chat.example.com"),
        ("ALLOWED_HOSTS", "a.b/c", "host names like chat.example.com"),
        ("ALLOWED_HOSTS", "a.b:*", "host names like chat.example.com"),
        ("CORS_ORIGINS", "https://a.b,https://a.b/path", "origins like https://chat.example.com"),
        ("RATE_LIMIT_CHAT", "often", "like `30 per minute`, or off"),
        ("JWKS_URL", "issuer.example", "an address that starts with http:// or https://"),
        ("OPENAI_BASE_URL", "api.openai.com", "an address that starts with http:// or https://"),
        ("LOCAL_LLM_URL", "localhost", "an address that starts with http:// or https://"),
        ("OPENAI_MAX_TOKENS_FIELD", "most", "one of max_tokens, max_completion_tokens"),
        ("FAULT", "explode:3", "empty, or <what>:<n>, like drop:5"),
        ("LOG_LEVEL", "loud", "one of DEBUG, INFO, WARNING, ERROR"),
        ("ASYNC_MODE", "threading", "one of eventlet, gevent"),
    ],
)
def test_a_bad_value_is_told_what_is_allowed(name: str, value: str, allowed: str) -> None:
    assert refused(**{name: value}).startswith(f"{name} is {value!r}; it must be {allowed}")


@pytest.mark.parametrize(
    "name,value,allowed",
    [
        ("JWT_SECRET", "hush", "at least 32 bytes; `openssl rand -hex 32` makes one."),
        ("JWT_PUBLIC_KEY", "hush", "a PEM that starts with -----BEGIN PUBLIC KEY-----."),
        (
            "GEMINI_API_KEY",
            "hush\u201d",
            "the key alone: printable ASCII without spaces, as it was",
        ),
        (
            "REDIS_URL",
            "localhost:6379",
            "redis://<host>:<port>, rediss:// the same by TLS, or unix",
        ),
        ("REDIS_URL", "redis:///0", "redis://<host>:<port>"),
        ("REDIS_URL", "unix://", "redis://<host>:<port>"),
    ],
)
def test_a_bad_secret_is_not_repeated(name: str, value: str, allowed: str) -> None:
    assert refused(**{name: value}).startswith(f"{name} is (not shown); it must be {allowed}")


def test_values_are_written_in_several_ways() -> None:
    settings = load_settings(
        {
            "LOG_LEVEL": "debug",
            "RATE_LIMIT_READ": "OFF",
            "OPENAI_BASE_URL": "https://a.b/v1/",
            "JWKS_URL": "https://c.d/",
            "CORS_ORIGINS": "https://a.b, *",
        }
    )

    assert (settings.logs.log_level, settings.rates.rate_limit_read) == ("DEBUG", "off")
    assert settings.vendors.openai.openai_base_url == "https://a.b/v1"
    assert settings.auth.jwks_url == "https://c.d"
    assert settings.server.cors_origins == ("https://a.b", "*")


def test_a_public_key_may_have_its_line_ends_written_out() -> None:
    key = load_settings({"JWT_PUBLIC_KEY": PEM}).auth.jwt_public_key
    assert key.get_secret_value() == PEM.replace("\\n", "\n")


@pytest.mark.parametrize(
    "environ,mode",
    [
        ({"JWT_SECRET": SECRET}, "required"),
        ({"JWT_PUBLIC_KEY": PEM}, "required"),
        ({"JWKS_URL": "https://issuer.example"}, "required"),
        ({"JWT_SECRET": SECRET, "AUTH": "optional"}, "optional"),
        ({"JWT_SECRET": SECRET, "AUTH": "off"}, "off"),
        ({"HOST": "0.0.0.0", "JWT_SECRET": SECRET}, "required"),
        ({"HOST": "0.0.0.0", "ALLOW_ANONYMOUS": "1"}, "off"),
        ({"HOST": "127.0.0.2"}, "off"),
        ({"HOST": "::1"}, "off"),
    ],
    ids=str,
)
def test_a_key_means_that_tokens_are_required(environ: dict[str, str], mode: str) -> None:
    assert load_settings(environ).auth.mode == mode


@pytest.mark.parametrize(
    "environ,sentence",
    [
        ({"HOST": "0.0.0.0"}, "HOST is '0.0.0.0', which others can reach, and there is no auth"),
        ({"HOST": "::", "JWT_SECRET": SECRET, "AUTH": "off"}, "HOST is '::', which others can"),
        ({"AUTH": "required"}, "AUTH is 'required', and there is no key to check tokens with; set"),
        ({"JWT_SECRET": SECRET, "JWKS_URL": "https://a.b"}, "JWT_SECRET and JWKS_URL are set; set"),
        ({"REDIS_URL": REDIS}, "REDIS_URL is set, and DATABASE_URL is 'sqlite:///instance/"),
        (
            {"REDIS_URL": REDIS, "DATABASE_URL": "memory:"},
            "REDIS_URL is set, and DATABASE_URL is 'memory:'; Redis is for the processes on a",
        ),
    ],
    ids=str,
)
def test_settings_that_do_not_go_together(environ: dict[str, str], sentence: str) -> None:
    assert refused(**environ).startswith(sentence)


@pytest.mark.parametrize(
    "url",
    [
        "memory:",
        "sqlite:///instance/a.db",
        "postgresql://ann:secret@db.my.org:5433/chats",
        "postgres:///chats?host=/run/postgresql",
    ],
)
def test_database_is_a_file_memory_or_postgresql(url: str) -> None:
    assert load_settings({"DATABASE_URL": url}).store.database_url == url


@pytest.mark.parametrize(
    "url,passwords",
    [
        ("postgresql://ann:p%40ss@db/chats", {"p%40ss", "p@ss"}),
        ("postgresql:///chats?user=ann&password=p4ss", {"p4ss"}),
        ("postgresql:///chats?host=/run/postgresql", set()),
    ],
)
def test_password_of_the_database_is_a_secret(url: str, passwords: set[str]) -> None:
    settings = load_settings({"DATABASE_URL": url})

    assert set(secrets_of(settings)) == passwords
    assert not any(password in repr(settings) for password in passwords)


def test_bad_address_of_a_database_is_not_repeated() -> None:
    assert "p4ss" not in refused(DATABASE_URL="mysql://ann:p4ss@db/chats")


def test_secrets_are_found_by_their_type_and_never_shown() -> None:
    settings = load_settings(SECRETS)

    assert sorted(secrets_of(settings)) == sorted(SECRETS.values())
    assert not any(secret in repr(settings) for secret in SECRETS.values())
    assert list(secrets_of(Settings())) == []


def test_what_is_called_a_key_is_a_secret() -> None:
    named = {row.name for row in settings_of(Settings) if SECRET_NAME.search(row.name)}
    assert named == {row.name for row in settings_of(Settings) if row.secret}


def test_origins_and_hosts_may_have_stars_and_other_schemes() -> None:
    origins = "https://*.a.b,http://[::1]:*,chrome-extension://abc,tauri://localhost,app://-"
    hosts = ".a.b,*.c.d:8443,*,chat.example,10.0.0.7:5000,[fd00::1]:5000,fd00::1"
    settings = load_settings({"CORS_ORIGINS": origins, "ALLOWED_HOSTS": hosts})

    assert settings.server.cors_origins == tuple(origins.split(","))
    assert settings.server.allowed_hosts == tuple(hosts.split(","))


def test_a_refused_star_is_answered_with_where_one_may_stand() -> None:
    assert "https://*.example.com for all names below it" in refused(CORS_ORIGINS="https://a.*.b")
    assert "*.example.com for those alone" in refused(ALLOWED_HOSTS="a.*.b")
