"""What models are sent of attachments: each reference in the form that the provider takes."""

from __future__ import annotations

import hashlib
import io
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from PIL import Image

from app.attachments.loading import GONE
from app.attachments.reading import text_in
from app.attachments.room import MOST_DATA
from app.attachments.sending import NO_ROOM, NOT_KEPT, Sending
from app.core.errors import InvalidRequest
from app.core.messages import Part, ProviderMessage, text_parts
from app.core.runs import ProviderRequest
from app.runs.ports import ALIVE
from tests.support.pdfs import document
from tests.support.scripted import STOP, ScriptedProvider

ALL = frozenset({"image", "image_url", "file"})


@dataclass
class Shelf:
    """A shelf in memory that counts what is read."""

    bytes_of: dict[str, bytes] = field(default_factory=dict)
    made_of: dict[tuple[str, str], bytes] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def read(self, sha256: str) -> bytes:
        self.reads.append(sha256)
        return self.bytes_of[sha256]

    def made(self, sha256: str, name: str) -> bytes | None:
        return self.made_of.get((sha256, name))

    def keep(self, sha256: str, name: str, data: bytes) -> None:
        self.made_of[sha256, name] = data

    def part(self, name: str, media_type: str, data: bytes, **figures: Any) -> Part:
        """Put the bytes here; return the part that stands for them."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.bytes_of[sha256] = data
        kind = "image" if media_type.startswith("image/") else "file"
        about = {"name": name, "media_type": media_type, "bytes": len(data), "sha256": sha256}
        return {"type": kind, "attachment_id": f"id-{name}", **about, **figures}

    def image(self, name: str = "a.png", size: tuple[int, int] = (40, 30)) -> Part:
        out = io.BytesIO()
        Image.new("RGB", size, (9, 9, 9)).save(out, "PNG")
        return self.part(name, "image/png", out.getvalue(), width=size[0], height=size[1])

    def pdf(self, *texts: str, name: str = "a.pdf") -> Part:
        made = document(*texts)
        return self.part(name, "application/pdf", made, pages=len(texts))

    def text(self, text: str, name: str = "a.txt") -> Part:
        return self.part(name, "text/plain", text.encode())


@dataclass
class Limits:
    context_tokens: int = 0
    image_max_pixels: int = 10_000


@dataclass
class Stage:
    """A provider that is sent things, and what it is sent."""

    shelf: Shelf
    scripted: ScriptedProvider
    sending: Sending
    stored: list[tuple[bytes, str]]
    calls: list[str]
    left_out: list[str] = field(default_factory=list)

    def ask(self, *messages: ProviderMessage) -> list[list[Any]]:
        request = ProviderRequest(messages, "m")
        batches = [list(batch) for batch in self.sending.stream(request)]
        assert self.scripted.requests[-1].upstream is request.upstream
        assert self.scripted.requests[-1].attempts is request.attempts
        self.left_out = request.left_out
        return batches

    def sent(self, *content: Part) -> list[Part]:
        """Return the content as the provider got it."""
        self.ask(ProviderMessage("user", content))
        return list(self.scripted.requests[-1].messages[0].content)


Staged = Callable[..., Stage]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def staged(shelf: Shelf, scripted: ScriptedProvider) -> Staged:
    def build(parameters: frozenset[str] = ALL, sees: bool | None = None, **limits: int) -> Stage:
        scripted.parameters = parameters
        stored: list[tuple[bytes, str]] = []
        calls: list[str] = []

        def apart(function: Any, *args: Any) -> Any:
            calls.append(args[0])
            return function(*args)

        def store(data: bytes, media_type: str) -> Part:
            if media_type == "image/x":
                raise InvalidRequest({"file": "no image"})
            stored.append((data, media_type))
            return {"type": "image", "attachment_id": "new"}

        sending = Sending(scripted, shelf, apart, store, Limits(**limits), lambda: sees)
        return Stage(shelf, scripted, sending, stored, calls)

    return build


def said(text: str) -> Part:
    return text_parts(text)[0]


WEB = {"type": "image", "url": "https://web.test/a.png"}


# --- images ---------------------------------------------------------------------------------------


def test_an_image_goes_as_its_bytes(staged: Staged, shelf: Shelf) -> None:
    part = shelf.image()
    (image,) = staged().sent({**part, "detail": "low"})

    assert b64decode(image["data"]) == shelf.bytes_of[part["sha256"]]
    assert {name: value for name, value in image.items() if name != "data"} == {
        "type": "image", "name": "a.png", "media_type": "image/png", "width": 40, "height": 30,
        "detail": "low",
    }  # fmt: skip


def test_a_large_image_is_scaled_once_and_kept_beside_the_original(
    staged: Staged, shelf: Shelf
) -> None:
    part = shelf.image(size=(400, 300))
    (first,) = staged().sent(part)
    read = len(shelf.reads)
    (again,) = staged().sent(part)

    assert (first["width"], first["height"]) == (115, 86)
    assert again == first
    assert len(shelf.reads) == read  # the second run needs no more than what was made
    assert Image.open(io.BytesIO(b64decode(first["data"]))).size == (115, 86)


def test_a_run_loads_each_of_them_once_and_off_the_hub(staged: Staged, shelf: Shelf) -> None:
    stage, one, other = staged(), shelf.image(), shelf.text("x")
    messages = ProviderMessage("user", (one, other)), ProviderMessage("user", (one,))
    first, second = stage.ask(*messages), stage.ask(*messages)

    assert stage.calls == ["image", "text"]
    assert first == [[(ALIVE, None)], [(ALIVE, None)], *second]


def test_a_message_without_any_is_passed_on_untouched(staged: Staged) -> None:
    stage = staged()
    message = ProviderMessage("user", text_parts("hi"))
    stage.ask(message)

    assert stage.scripted.requests[-1].messages[0] is message
    assert stage.calls == []


@pytest.mark.parametrize(
    ("parameters", "part", "sent"),
    [
        (ALL, WEB, WEB),
        (ALL - {"image_url"}, WEB, said("[image: https://web.test/a.png]")),
    ],
)
def test_an_image_of_the_web_goes_to_who_fetches_it(
    staged: Staged, parameters: frozenset[str], part: Part, sent: Part
) -> None:
    assert staged(parameters).sent(part) == [sent]


@pytest.mark.parametrize("blind", [{"parameters": frozenset()}, {"sees": False}])
def test_who_takes_no_images_is_told_of_them(
    staged: Staged, shelf: Shelf, blind: dict[str, Any]
) -> None:
    stage = staged(**blind)

    assert stage.sent(shelf.image("my\ncat.png")) == [said("[image: my cat.png]")]
    assert stage.calls == []


def test_an_image_of_another_room_is_not_sent_again(staged: Staged, shelf: Shelf) -> None:
    """What one conversation's model made is an image like any other, in its reply."""
    stage = staged()
    stage.ask(ProviderMessage("assistant", (*text_parts("here"), shelf.image())))

    message = stage.scripted.requests[-1].messages[0]
    assert [part["type"] for part in message.content] == ["text", "image"]


# --- files ----------------------------------------------------------------------------------------


def test_a_pdf_goes_as_it_is_to_who_takes_files(staged: Staged, shelf: Shelf) -> None:
    part = shelf.pdf("one")
    (file,) = staged().sent(part)

    assert b64decode(file.pop("data")) == shelf.bytes_of[part["sha256"]]
    assert file == {"type": "file", "name": "a.pdf", "media_type": "application/pdf"}


def test_other_providers_get_its_text_which_is_kept(staged: Staged, shelf: Shelf) -> None:
    part = shelf.pdf("one", "two")
    text = "[file: a.pdf]\n[page 1]\none\n\n[page 2]\ntwo"
    assert staged(frozenset({"image"})).sent(part) == [said(text)]
    read = len(shelf.reads)

    assert staged(frozenset()).sent(part) == [said(text)]
    assert len(shelf.reads) == read


@pytest.mark.parametrize(("pages", "context_tokens"), [(101, 0), (2, 1000)])
def test_a_long_pdf_is_text_for_everybody(
    staged: Staged, shelf: Shelf, pages: int, context_tokens: int
) -> None:
    stage = staged(context_tokens=context_tokens)
    (sent,) = stage.sent({**shelf.pdf("one"), "pages": pages})

    assert sent["text"].startswith("[file: a.pdf]\n[page 1]")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfna\xc3\xafve", "naïve"),
        ("naïve".encode("utf-16"), "naïve"),
        ("\ufeffnaïve".encode("utf-16-be"), "naïve"),
        ("naïve".encode(), "naïve"),
        (b"", ""),
    ],
)
def test_a_text_is_read_in_the_charset_that_it_has(data: bytes, text: str) -> None:
    assert text_in(data) == text


def test_a_text_file_is_its_text_set_apart_from_what_was_said(staged: Staged, shelf: Shelf) -> None:
    content = (said("Look:"), shelf.text("1;2", "t.csv"), shelf.text("3", "u.csv"), said("So?"))
    stage = staged()
    stage.sent(*content)

    text = stage.scripted.requests[-1].messages[0].text
    assert text == "Look:\n\n[file: t.csv]\n1;2\n\n[file: u.csv]\n3\n\nSo?"


# --- what is not there, or broken -----------------------------------------------------------------


@pytest.mark.parametrize("kind", ["image", "pdf", "text"])
@pytest.mark.parametrize("parameters", [ALL, frozenset({"image"})])
def test_what_is_gone_is_said(
    staged: Staged, shelf: Shelf, parameters: frozenset[str], kind: str
) -> None:
    part = {"image": shelf.image(), "pdf": shelf.pdf("a"), "text": shelf.text("a")}[kind]
    shelf.bytes_of.clear()

    assert staged(parameters).sent(part) == [said(f"[{part['type']}: {part['name']}: {GONE}]")]


def test_what_cannot_be_read_is_said_and_not_tried_again(staged: Staged, shelf: Shelf) -> None:
    image = shelf.part("b.png", "image/png", b"no image")
    pdf = shelf.part("b.pdf", "application/pdf", b"no PDF", pages=1)
    text = [said("[file: b.pdf: it is no PDF that can be read]")]

    assert staged().sent(image) == [said("[image: b.png: it is no image/png]")]
    assert staged(frozenset()).sent(pdf) == text
    read = len(shelf.reads)
    assert staged(frozenset()).sent(pdf) == text
    assert len(shelf.reads) == read


def test_a_full_disk_is_no_failure(staged: Staged, shelf: Shelf) -> None:
    def full(*args: object) -> None:
        raise OSError("no space left on device")

    shelf.keep = full  # type: ignore[method-assign]

    assert staged().sent(shelf.image(size=(400, 300)))[0]["width"] == 115


# --- room -----------------------------------------------------------------------------------------


def test_a_text_is_cut_to_the_room_with_a_mark(staged: Staged, shelf: Shelf) -> None:
    (sent,) = staged(context_tokens=104).sent(shelf.text("x" * 1000))

    text = sent["text"]
    assert text.startswith("[file: a.txt]\nxxx")
    kept = text.count("x") - 1
    assert text.endswith(f"\n[{1000 - kept} of 1000 bytes are left out for want of room]")
    assert kept == 4 * (100 - 4)  # four are the message's, four the head's


def test_the_newest_has_the_first_of_the_room(staged: Staged, shelf: Shelf) -> None:
    stage = staged(context_tokens=330)
    old, new = shelf.text("o" * 1000, "old"), shelf.text("n" * 1000, "new")
    stage.ask(ProviderMessage("user", (old,)), ProviderMessage("user", (new,)))

    older, newer = (one.text for one in stage.scripted.requests[-1].messages)
    assert newer == "[file: new]\n" + "n" * 1000
    assert 0 < older.count("o") < 1000
    assert "are left out for want of room]" in older
    assert stage.left_out == ["old"]


def test_an_image_without_room_is_left_out_with_a_mark(staged: Staged, shelf: Shelf) -> None:
    stage = staged(context_tokens=1000)
    parts = [shelf.image(f"{n}.png", (99, 100)) for n in range(80)]
    sent = stage.sent(*parts)

    kinds = [part["type"] for part in sent if part.get("text") != "\n\n"]
    fitting = (1000 - 4) // 14  # tokens each
    assert kinds == ["image"] * fitting + ["text"] * (80 - fitting)
    assert sent[-1]["text"] == f"[image: 79.png: {NO_ROOM}]"
    assert stage.left_out == [f"{n}.png" for n in range(fitting, 80)]


def test_a_request_is_no_larger_than_servers_take(staged: Staged, shelf: Shelf) -> None:
    noise = [shelf.part(f"{n}.pdf", "application/pdf", bytes([n]) * 8_000_000) for n in range(3)]
    sent = [part for part in staged().sent(*noise) if part.get("text") != "\n\n"]

    assert [part["type"] for part in sent] == ["file", "text", "text"]
    assert sum(len(part.get("data", "")) for part in sent) <= MOST_DATA


# --- what a model makes ---------------------------------------------------------------------------

PNG = b64encode(b"an image").decode()


def test_an_image_that_a_model_makes_is_stored_before_it_is_handed_on(staged: Staged) -> None:
    stage = staged()
    made = ("file", {"data": PNG, "media_type": "image/png"})
    stage.scripted.enqueue([("text", "a"), made, ("text", "b")], STOP)

    batches = stage.ask(ProviderMessage("user", text_parts("draw")))

    assert batches == [
        [("text", "a"), ("file", {"type": "image", "attachment_id": "new"}), ("text", "b")],
        [STOP],
    ]
    assert stage.stored == [(b"an image", "image/png")]


@pytest.mark.parametrize(
    "made",
    [
        {"data": "no base64!", "media_type": "image/png"},
        {"data": PNG, "media_type": "image/x"},
        {"data": PNG},
        {},
    ],
)
def test_what_cannot_be_stored_is_no_end_of_the_reply(staged: Staged, made: Any) -> None:
    stage = staged()
    stage.scripted.enqueue(("file", made), "so", STOP)

    batches = stage.ask(ProviderMessage("user", text_parts("draw")))
    assert batches == [[("text", NOT_KEPT)], [("text", "so")], [STOP]]


def test_it_is_the_provider_in_all_else(staged: Staged) -> None:
    stage = staged()
    stage.scripted.first_delta_timeout_s = 7.0  # type: ignore[attr-defined]
    sending = Sending(stage.scripted, stage.shelf, lambda f, *a: f(*a), lambda d, m: {}, Limits())

    assert (sending.name, sending.default_model) == ("scripted", "scripted-1")
    assert (sending.parameters, sending.first_delta_timeout_s) == (ALL, 7.0)
    stream = sending.stream(ProviderRequest((), "m"))
    next(stream)
    stream.close()
    assert stage.scripted.closed == 1


def test_no_more_is_loaded_than_there_is_room_for(staged: Staged, shelf: Shelf) -> None:
    texts = [shelf.text(str(n) * 9_000_000, f"{n}.txt") for n in range(6)]
    stage = staged()
    stage.ask(*(ProviderMessage("user", (one,)) for one in texts))

    assert len(stage.calls) == 3  # the newest
    assert {"0.txt", "1.txt", "2.txt"} <= set(stage.left_out)
    assert stage.scripted.requests[-1].messages[0].text == f"[file: 0.txt: {NO_ROOM}]"
