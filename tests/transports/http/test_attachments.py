"""Uploads, and reading what was uploaded: whatever is sent has its answer, and nobody reads what
another has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from werkzeug.http import parse_options_header

from app.attachments.reading import safe_name
from tests.support.doors import SECRET, bearer, token_of
from tests.support.files import HOSTILE, NAMES, Hostile, picture
from tests.support.in_process import InProcess
from tests.support.server import Answer


@pytest.fixture(params=["memory", "folder"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[InProcess]:
    folder = tmp_path / "files" if request.param == "folder" else ""
    started = InProcess(ATTACHMENTS_DIR=folder, MAX_ATTACHMENT_BYTES=4_000_000)
    yield started
    started.stop()


def upload(server: InProcess, data: bytes, name: str = "a", **headers: str) -> Answer:
    sent = {"X-File-Name": quote(name), "Content-Length": str(len(data)), **headers}
    return server.request("POST", "/api/attachments", data, sent)


def form(data: bytes, name: str = "a.png", field: str = "file", boundary: str = "xx") -> bytes:
    said = f'Content-Disposition: form-data; name="{field}"; filename="{name}"'
    return (
        f"--{boundary}\r\n{said}\r\nContent-Type: text/html\r\n\r\n".encode()
        + data
        + f"\r\n--{boundary}--\r\n".encode()
    )


def send_form(server: InProcess, body: bytes, kind: str = "boundary=xx") -> Answer:
    return upload(server, body, **{"Content-Type": f"multipart/form-data; {kind}"})


@pytest.mark.parametrize("server", ["folder"], indirect=True)
@pytest.mark.parametrize("file", HOSTILE, ids=lambda file: file.name)
def test_every_file_has_its_answer(server: InProcess, file: Hostile) -> None:
    answer = upload(server, file.data)

    assert answer.status == file.status, answer.body
    if file.status != 201:
        assert answer.json["error"]["fields"] and answer.json["error"]["message"]
        return
    told = answer.json
    assert (told["media_type"], told["bytes"]) == (file.media_type, len(file.data))
    read = server.get(f"/api/attachments/{told['id']}")
    assert read.body == file.data
    assert read.headers["x-content-type-options"] == "nosniff"
    assert read.headers["content-security-policy"] == "default-src 'none'; sandbox"
    is_picture = file.media_type.startswith("image/")
    assert read.headers["content-disposition"].startswith("inline" if is_picture else "attachment")
    assert read.headers["content-type"].partition(";")[0] == file.media_type


@pytest.mark.parametrize("server", ["memory"], indirect=True)
@pytest.mark.parametrize("sent, kept", NAMES)
def test_file_has_a_name_that_does_no_harm(server: InProcess, sent: str, kept: str) -> None:
    told = upload(server, picture(), sent).json
    assert told["name"] == kept

    written = server.get(f"/api/attachments/{told['id']}").headers["content-disposition"]
    assert written.isascii() and written.isprintable()
    assert parse_options_header(written)[1]["filename"] == kept


@pytest.mark.parametrize("media_type", ["image/webp", "application/pdf", "text/plain"])
def test_file_without_a_name_gets_that_of_its_kind(media_type: str) -> None:
    ending = {"image/webp": "webp", "application/pdf": "pdf", "text/plain": "txt"}[media_type]
    assert safe_name("/", media_type) == f"file.{ending}"


@pytest.mark.parametrize("written", ["%ff%fe", "%e2%82", "%C3"])
def test_name_that_is_no_text_is_refused_by_its_header(server: InProcess, written: str) -> None:
    answer = upload(server, picture(), **{"X-File-Name": written})

    assert answer.status == 400 and "X-File-Name" in answer.json["error"]["fields"]


def test_form_is_read_as_the_file_in_it(server: InProcess) -> None:
    answer = send_form(server, form(picture(), "Größe.png"))

    assert answer.status == 201
    assert (answer.json["name"], answer.json["media_type"]) == ("Größe.png", "image/png")
    assert server.get(f"/api/attachments/{answer.json['id']}").body == picture()


@pytest.mark.parametrize(
    "body, kind",
    [
        (form(picture()), ""),
        (form(picture()), "boundary="),
        (form(picture()), "boundary=" + "x" * 71),
        (form(picture()), "boundary=yy"),
        (form(picture(), field="other"), "boundary=xx"),
        (form(picture())[:-9], "boundary=xx"),
        (form(picture())[:60], "boundary=xx"),
        (b"", "boundary=xx"),
        (b"--xx--\r\n", "boundary=xx"),
        (b"--xx\r\n\r\nno header\r\n--xx--\r\n", "boundary=xx"),
        (form(picture())[:-8] + form(picture(), field="file"), "boundary=xx"),
        (b"--xx\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n" + form(picture()),
         "boundary=xx"),  # fmt: skip
        (b"\xff" * 5000, "boundary=xx"),
    ],
)
def test_form_that_is_none_is_refused(server: InProcess, body: bytes, kind: str) -> None:
    answer = send_form(server, body, kind)

    assert (answer.status, list(answer.json["error"]["fields"])) == (400, ["file"])


@pytest.mark.parametrize("sent", ["raw", "form"])
def test_file_that_is_too_large_is_refused(server: InProcess, sent: str) -> None:
    data = b"a" * 4_100_000
    answer = upload(server, data) if sent == "raw" else send_form(server, form(data))

    assert (answer.status, answer.code) == (413, "too_large")


def test_owner_has_no_more_room_than_is_allowed() -> None:
    server = InProcess(MAX_ATTACHMENT_BYTES_PER_USER=4096 * 3)
    try:
        statuses = [upload(server, picture(color=f"#{n:06x}")).status for n in range(4)]
        assert statuses == [201, 201, 201, 413]
    finally:
        server.stop()


def test_same_key_is_the_same_upload(server: InProcess) -> None:
    first, again = (upload(server, picture(), **{"Idempotency-Key": "k"}) for _ in range(2))
    other = upload(server, picture(color="blue"), **{"Idempotency-Key": "k"})

    assert first.json == again.json
    assert (other.status, other.code) == (409, "idempotency_conflict")
    assert upload(server, picture(), **{"Idempotency-Key": "a b"}).status == 400


def test_what_the_client_has_is_not_sent_again(server: InProcess) -> None:
    path = f"/api/attachments/{upload(server, picture()).json['id']}"
    tag = server.get(path).headers["etag"]

    assert server.get(path, **{"If-None-Match": tag}).status == 304
    assert server.get(path, **{"If-None-Match": '"other"'}).status == 200
    head = server.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(picture()))


def say(server: InProcess, *ids: str, **more: object) -> Answer:
    body = {"session_id": "s-1", "attachments": list(ids), "provider": "demo", **more}
    return server.post("/api/chat", body)


def test_message_has_what_it_names_until_it_is_deleted(server: InProcess) -> None:
    told = upload(server, picture(), "photo.png").json
    path = f"/api/attachments/{told['id']}"

    assert say(server, told["id"], message="look").status == 200
    asked = server.get("/api/chat/sessions/s-1/messages").json["messages"][0]
    assert asked["content"] == "look"
    part = asked["parts"][1]
    assert (part["type"], part["attachment_id"], part["name"]) == ("image", told["id"], "photo.png")
    refused = server.request("DELETE", path)
    assert (refused.status, refused.code) == (409, "attachment_in_use")

    server.request("DELETE", "/api/chat/sessions/s-1")
    for method in ("GET", "HEAD", "DELETE"):
        assert server.request(method, path).status == 404


def test_message_may_be_a_picture_alone(server: InProcess) -> None:
    told = upload(server, picture(), "photo.png").json

    assert say(server, told["id"]).status == 200
    assert server.get("/api/chat/sessions").json["sessions"][0]["title"] == "photo.png"


@pytest.mark.parametrize(
    "ids, field",
    [(["never"], "attachments.0"), (["x" * 5000], "attachments.0"), (["a"] * 33, "attachments")],
)
def test_what_is_not_there_is_refused_and_nothing_is_stored(
    server: InProcess, ids: list[str], field: str
) -> None:
    answer = say(server, *ids, message="look")

    assert answer.status == 400 and field in answer.json["error"]["fields"]
    assert server.get("/api/chat/sessions").json["sessions"] == []


def test_none_goes_with_another_reply_to_the_same(server: InProcess) -> None:
    said = say(server, message="hi")
    told = upload(server, picture()).json
    asked = {"session_id": "s-1", "regenerate": "x", "attachments": [told["id"]]}

    assert said.status == 200
    assert "attachments" in server.post("/api/chat", asked).json["error"]["fields"]


def test_file_of_another_owner_is_absent_by_every_way() -> None:
    server = InProcess(JWT_SECRET=SECRET)
    try:
        ann, bob = (bearer(token_of(one)) for one in ("ann", "bob"))
        told = upload(server, picture(), **ann).json
        path = f"/api/attachments/{told['id']}"
        assert server.get(path, **ann).status == 200
        assert server.get(path).status == 401

        for method in ("GET", "HEAD", "DELETE"):
            foreign = server.request(method, path, headers=bob)
            absent = server.request(method, "/api/attachments/never", headers=bob)
            assert foreign.status == absent.status == 404
        body = {"message": "look", "attachments": [told["id"]], "session_id": "s-1"}
        answer = server.post("/api/chat", body, **bob)
        assert answer.status == 400 and "attachments.0" in answer.json["error"]["fields"]
        assert server.get(path, **ann).status == 200
    finally:
        server.stop()


@pytest.mark.parametrize("size, left_out", [(100, None), (4000, ["long.txt"])])
def test_end_says_which_files_found_no_room(size: int, left_out: list[str] | None) -> None:
    server = InProcess(CONTEXT_TOKENS=300)
    try:
        told = upload(server, b"a" * size, "long.txt").json
        assert say(server, told["id"], message="read").json.get("left_out") == left_out
    finally:
        server.stop()
