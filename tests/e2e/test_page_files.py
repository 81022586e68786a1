"""Pictures and files in the page: pasted, dropped, picked, sent, shown, kept."""

from __future__ import annotations

import base64
import hashlib
import threading

import pytest
from playwright.sync_api import expect

from tests.support.attaching import Drag, chosen, noise, paste, pick, png
from tests.support.browser import ChatPage

MOST = 3_000_000
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 500_000}
FAST = SLOW | {"uploadThroughput": -1}
PHOTO = chosen("photo.png", png())
NOTES = chosen("notes.txt", b"some notes", "text/plain")

pytestmark = [pytest.mark.browser, pytest.mark.stack]


@pytest.fixture(scope="module")
def taking(start_one):
    return start_one(DEFAULT_PROVIDER="demo", MAX_ATTACHMENT_BYTES=MOST)


@pytest.fixture
def server(taking):
    return taking


def items(page):
    """What is attached to the message that is being written."""
    return page.tab.locator(".attached-item")


def ready(page, count=1):
    expect(page.tab.locator(".attached-item[data-state=ready]")).to_have_count(count)


def pictures(page):
    """The pictures of messages, once they are there."""
    return page.tab.locator(".message:not(:has(.editor)) .picture img:visible")


def remove(page, name):
    page.tab.get_by_role("button", name=f"Remove {name}").click()


def messages(server, page):
    path = f"/api/chat/sessions/{page.session_id}/messages"
    return server.get(path).json["messages"]


def files(message):
    return [part["name"] for part in message.get("parts", ()) if part["type"] != "text"]


def note(page):
    return page.tab.locator("#attach-note")


def said(page):
    """What a screen reader is told."""
    return page.tab.get_by_role("status")


def limit(page, conditions):
    cdp = page.tab.context.new_cdp_session(page.tab)
    cdp.send("Network.enable")
    cdp.send("Network.emulateNetworkConditions", conditions)


def drawn(data):
    """Return the chunk in which a model's server tells of a picture."""
    image = {"url": "data:image/png;base64," + base64.b64encode(data).decode()}
    delta = {"images": [{"type": "image_url", "image_url": image}]}
    return {"choices": [{"index": 0, "delta": delta}]}


def uploaded(server, attachment_id):
    return server.get(f"/api/attachments/{attachment_id}")


def test_a_picture_is_pasted_and_sent_alone(page, server):
    data = png(90, 60)
    page.tab.focus("#message")
    paste(page, data)
    ready(page)
    expect(items(page).locator("img")).to_have_attribute("alt", "image.png")
    page.tab.keyboard.press("Enter")
    expect(items(page)).to_have_count(0)
    expect(pictures(page)).to_have_count(1)
    page.idle()
    mine = messages(server, page)[0]
    [part] = mine["parts"]
    assert (mine["content"], part["type"]) == ("", "image")
    assert (part["width"], part["height"]) == (90, 60)  # the clipboard writes it anew
    assert pictures(page).evaluate("(image) => image.naturalWidth") == 90


def test_text_that_is_pasted_stays_text(page):
    page.tab.focus("#message")
    page.tab.evaluate("""() => {
        const clipboardData = new DataTransfer();
        clipboardData.setData("text/html", "<b>a</b>");
        clipboardData.setData("text/plain", "a");
        clipboardData.items.add(new File(["x"], "image.png", {type: "image/png"}));
        const told = {clipboardData, bubbles: true, cancelable: true};
        window.taken = !document.activeElement.dispatchEvent(new ClipboardEvent("paste", told));
    }""")
    assert page.tab.evaluate("window.taken") is False
    expect(items(page)).to_have_count(0)


def test_files_are_dropped_anywhere(page, server, tmp_path):
    paths = [tmp_path / "one.png", tmp_path / "two.txt"]
    paths[0].write_bytes(png())
    paths[1].write_text("two")
    expect(page.tab.locator("#drop")).to_be_hidden()
    drag = Drag(page, *paths).enter()
    expect(page.tab.locator("#drop")).to_be_visible()
    drag.leave()
    expect(page.tab.locator("#drop")).to_be_hidden()
    Drag(page, *paths).enter().drop()
    expect(page.tab.locator("#drop")).to_be_hidden()
    ready(page, 2)
    page.send("Both")
    page.idle()
    assert files(messages(server, page)[0]) == ["one.png", "two.txt"]
    assert page.tab.url.startswith(server.url)


def test_a_folder_that_is_dropped_is_refused_in_words(page, tmp_path):
    Drag(page, tmp_path).enter().drop()
    expect(note(page)).to_contain_text("Folders cannot be attached")
    expect(items(page)).to_have_count(0)


def test_files_are_picked_and_taken_off_again(page, server):
    pick(page, PHOTO, NOTES)
    ready(page, 2)
    removed = []
    page.tab.on("request", lambda one: one.method == "DELETE" and removed.append(one.url))
    with page.tab.expect_response(lambda one: one.request.method == "DELETE") as answer:
        remove(page, "photo.png")
    assert answer.value.status == 204
    expect(items(page)).to_have_count(1)
    assert page.tab.evaluate("document.activeElement.getAttribute('aria-label')") == (
        "Remove notes.txt"
    )
    assert uploaded(server, removed[0].rsplit("/", 1)[1]).status == 404
    page.send("Notes")
    page.idle()
    assert files(messages(server, page)[0]) == ["notes.txt"]


def test_sending_waits_for_an_upload_and_says_so(page, server):
    limit(page, SLOW)
    big = noise(1_500_000)
    pick(page, chosen("big.png", big))
    bar = items(page).locator("progress")
    page.tab.fill("#message", "Look")
    page.tab.press("#message", "Enter")
    expect(note(page)).to_contain_text("Sends when the upload is done")
    expect(said(page)).to_have_text("Sends when the upload is done.")
    page.holds("document.querySelector('.attached-item progress').value > 0")
    assert bar.evaluate("(e) => e.value") < 1
    expect(page.tab.locator(".message")).to_have_count(0)
    limit(page, FAST)
    expect(page.tab.locator(".mine .text")).to_have_text("Look")
    expect(note(page)).to_be_hidden()
    page.idle()
    [part] = [part for part in messages(server, page)[0]["parts"] if part["type"] == "image"]
    assert part["sha256"] == hashlib.sha256(big).hexdigest()


def test_what_waits_for_an_upload_can_be_held_back(page):
    limit(page, SLOW | {"uploadThroughput": 20_000})
    pick(page, chosen("big.png", noise(1_000_000)))
    page.send("Look")
    note(page).get_by_role("button", name="Cancel").click()
    expect(note(page)).to_be_hidden()
    remove(page, "big.png")
    expect(items(page)).to_have_count(0)
    page.drawn()
    expect(page.tab.locator("#message")).to_have_value("Look")
    expect(page.tab.locator(".message")).to_have_count(0)


def test_what_waits_for_an_upload_is_not_sent_into_a_reply_that_began_elsewhere(
    context, shared_server, upstream
):
    page = ChatPage(context, shared_server.url).open()
    page.send("one")
    page.idle()
    held = []
    page.tab.route("**/api/attachments", lambda route: held.append(route))
    pick(page, PHOTO)
    page.send("Look")
    expect(note(page)).to_contain_text("Sends when the upload is done")
    more = threading.Event()

    def reply(exchange):
        exchange.start()
        exchange.delta("On it")
        assert more.wait(60)
        exchange.finish()

    upstream.reply = reply
    body = {"message": "two", "session_id": page.session_id, "detach": True}
    shared_server.post("/api/chat/stream", body)
    expect(note(page)).to_contain_text("Not sent: a reply is under way")
    more.set()
    held[0].continue_()
    ready(page)
    page.idle()
    expect(page.tab.locator("#message")).to_have_value("Look")
    assert page.texts[0::2] == ["one", "two"]


def test_removing_a_file_that_sending_waits_for_holds_the_message_back(page):
    limit(page, SLOW | {"uploadThroughput": 20_000})
    pick(page, chosen("big.png", noise(1_000_000)), NOTES)
    page.send("Look")
    expect(note(page)).to_contain_text("Sends when the upload is done")
    remove(page, "big.png")
    expect(note(page)).to_be_hidden()
    limit(page, FAST)
    ready(page)
    page.drawn()
    expect(page.tab.locator("#message")).to_have_value("Look")
    expect(page.tab.locator(".message")).to_have_count(0)


def test_what_the_server_refuses_says_why_and_is_not_sent(context, server):
    page = ChatPage(context, server.url).open()
    pick(page, chosen("huge.png", noise(MOST)), chosen("page.svg", b"<svg/>", "image/svg+xml"))
    failed = page.tab.locator(".attached-item[data-state=failed]")
    expect(failed.first.locator(".attached-error")).to_contain_text(f"{MOST} bytes")
    page.send("Look")
    expect(note(page)).to_contain_text("Not sent")
    expect(page.tab.locator(".message")).to_have_count(0)
    remove(page, "huge.png")
    if items(page).count():
        remove(page, "page.svg")
    page.tab.press("#message", "Enter")
    page.idle()
    assert "parts" not in messages(server, page)[0]


def test_an_upload_that_failed_is_tried_again(context, server):
    page = ChatPage(context, server.url).open()
    page.tab.route("**/api/attachments", lambda route: route.fulfill(status=418, body="no"))
    pick(page, PHOTO)
    expect(page.tab.locator(".attached-error")).to_contain_text("418")
    page.tab.unroute("**/api/attachments")
    page.send("Look")
    expect(note(page)).to_contain_text("Not sent")
    page.tab.get_by_role("button", name="Try photo.png again").click()
    expect(note(page)).to_be_hidden()
    ready(page)


def test_a_message_has_at_most_32_files(page):
    pick(page, *(chosen(f"{n}.txt", b"x%d" % n, "text/plain") for n in range(34)))
    expect(note(page)).to_contain_text("at most 32 files")
    expect(said(page)).to_contain_text("32 files attached. A message can have at most 32 files")
    expect(items(page)).to_have_count(32)
    ready(page, 32)
    remove(page, "0.txt")
    pick(page, NOTES)
    expect(said(page)).to_have_text("One file attached.")
    pick(page, PHOTO)
    expect(said(page)).to_contain_text("A message can have at most 32 files")
    assert page.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_draft_keeps_its_files_over_a_reload(page, server):
    pick(page, PHOTO, NOTES)
    ready(page, 2)
    page.tab.fill("#message", "half written")
    page.tab.reload()
    page.ready()
    ready(page, 2)
    expect(items(page).locator("img")).to_have_js_property("complete", True)
    page.holds("document.querySelector('.attached-item img').naturalWidth === 64")
    page.tab.press("#message", "Enter")
    page.idle()
    assert files(messages(server, page)[0]) == ["photo.png", "notes.txt"]
    page.tab.reload()
    page.ready()
    expect(pictures(page)).to_have_count(1)
    expect(items(page)).to_have_count(0)


def test_a_file_of_a_draft_that_is_gone_is_taken_off_in_words(context, server):
    page = ChatPage(context, server.url).open()
    with page.tab.expect_response("**/api/attachments") as answer:
        pick(page, PHOTO)
    ready(page)
    server.request("DELETE", f"/api/attachments/{answer.value.json()['id']}")
    page.tab.reload()
    page.ready()
    expect(note(page)).to_contain_text("photo.png is no longer on the server")
    expect(said(page)).to_contain_text("photo.png is no longer on the server")
    expect(items(page)).to_have_count(0)


def test_files_of_a_deleted_conversation_go_beside_those_of_the_new_chat(page, server):
    pick(page, NOTES)
    ready(page)
    other = server.post("/api/chat", {"message": "one"}).json["session_id"]
    page.tab.goto(f"{server.url}/#/c/{other}")
    page.tab.reload()
    page.ready()
    pick(page, PHOTO)
    ready(page)
    server.request("DELETE", f"/api/chat/sessions/{other}")
    ready(page, 2)
    expect(items(page).locator(".file-name")).to_have_text(["photo.png", "notes.txt"])


def test_each_conversation_has_files_of_its_own(page):
    page.send("one")
    page.idle()
    pick(page, PHOTO)
    ready(page)
    page.tab.click("#new-chat")
    expect(items(page)).to_have_count(0)
    page.tab.go_back()
    ready(page)


def test_a_conversation_shows_its_files_after_a_reload_and_in_another_tab(page, context, server):
    pick(page, PHOTO, NOTES)
    page.send("Look")
    page.idle()
    other = ChatPage(context, server.url).open(page.session_id)
    page.tab.reload()
    page.ready()
    for tab in (page, other):
        expect(pictures(tab)).to_have_attribute("alt", "photo.png")
        tab.holds("document.querySelector('.picture img').naturalWidth === 64")
        with tab.tab.expect_download() as download:
            tab.tab.get_by_role("button", name="Download notes.txt").click()
        assert download.value.suggested_filename == "notes.txt"
        assert download.value.path().read_bytes() == b"some notes"
    pick(page, chosen("second.png", png(colour="red")))
    ready(page)
    page.tab.keyboard.press("Enter")
    page.send("And this")
    expect(other.tab.get_by_alt_text("second.png")).to_be_visible()
    assert other.complaints == []


def test_a_picture_opens_large_and_gives_back_the_focus(page):
    pick(page, chosen("wide.png", png(1600, 400)))
    page.send("Look")
    page.idle()
    opener = page.tab.get_by_role("button", name="Open wide.png")
    opener.press("Enter")
    dialog = page.tab.get_by_role("dialog", name="wide.png")
    expect(dialog.locator("img")).to_be_visible()
    page.holds("document.querySelector('dialog[open] img').naturalWidth === 1600")
    assert dialog.locator("img").bounding_box()["width"] > opener.bounding_box()["width"]
    page.tab.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    page.tab.keyboard.press("Escape")  # stops nothing
    expect(page.tab.locator(".notice")).to_have_count(0)


def test_an_edit_keeps_the_files_and_can_take_them_off(page, server):
    pick(page, PHOTO, NOTES)
    page.send("Look")
    page.idle()
    page.tab.get_by_role("button", name="Edit").click()
    editor = page.tab.locator(".editor")
    expect(editor.locator(".files > li")).to_have_count(2)
    editor.locator("textarea").fill("Look here")
    page.tab.keyboard.press("Enter")
    page.idle()
    assert files(messages(server, page)[0]) == ["photo.png", "notes.txt"]

    page.tab.get_by_role("button", name="Edit").click()
    editor.get_by_role("button", name="Remove photo.png").click()
    expect(editor.get_by_role("button", name="Remove notes.txt")).to_be_focused()
    editor.locator("textarea").press("Enter")
    page.idle()
    expect(page.tab.locator(".mine .version")).to_have_text("3/3")
    expect(pictures(page)).to_have_count(0)
    assert files(messages(server, page)[0]) == ["notes.txt"]
    page.tab.get_by_role("button", name="The version before").click()
    expect(pictures(page)).to_have_count(1)


def test_an_edit_goes_on_while_the_conversation_is_read_again(page, server):
    pick(page, PHOTO, NOTES)
    page.send("Look")
    page.idle()
    page.tab.get_by_role("button", name="Edit").click()
    editor = page.tab.locator(".editor")
    editor.get_by_role("button", name="Remove photo.png").click()
    editor.locator("textarea").fill("Look here")
    body = {"message": "two", "session_id": page.session_id}
    server.post("/api/chat", body)
    expect(page.tab.locator(".mine")).to_have_count(2)
    page.idle()
    expect(editor.locator("textarea")).to_have_value("Look here")
    expect(editor.locator("textarea")).to_be_focused()
    expect(editor.locator(".files > li")).to_have_count(1)
    editor.locator("textarea").press("Enter")
    page.idle()
    mine, _reply = messages(server, page)
    assert (mine["content"], files(mine)) == ("Look here", ["notes.txt"])


def test_regenerating_leaves_the_picture(page, server):
    pick(page, PHOTO)
    page.send("Look")
    page.idle()
    page.tab.get_by_role("button", name="Regenerate").click()
    expect(page.tab.locator(".reply .version")).to_have_text("2/2")
    page.idle()
    expect(pictures(page)).to_have_count(1)
    assert files(messages(server, page)[0]) == ["photo.png"]


def test_what_could_not_be_sent_is_attached_again(context, server):
    page = ChatPage(context, server.url).open()
    page.tab.route("**/api/chat/stream", lambda route: route.fulfill(status=418, body="no"))
    pick(page, PHOTO)
    page.send("Look")
    expect(page.tab.locator(".banner.bad")).to_contain_text("Not sent")
    ready(page)
    expect(page.tab.locator("#message")).to_have_value("Look")
    page.tab.unroute("**/api/chat/stream")
    page.tab.press("#message", "Enter")
    page.idle()
    assert files(messages(server, page)[0]) == ["photo.png"]


def test_a_file_that_did_not_fit_is_named_in_the_reply(context, start_one):
    small = start_one(DEFAULT_PROVIDER="demo", CONTEXT_TOKENS=300)
    page = ChatPage(context, small.url).open()
    pick(page, chosen("long.txt", b"a word " * 600, "text/plain"))
    page.send("Read this")
    page.idle()
    expect(page.tab.locator(".reply .notice")).to_contain_text("Not all of long.txt fitted")
    page.send("And now?")
    expect(page.tab.locator(".reply")).to_have_count(2)
    page.idle()
    expect(page.tab.locator(".reply .notice").first).to_contain_text("Not all of long.txt fitted")
    assert page.complaints == []


def test_only_the_editor_of_new_messages_takes_files(page):
    page.send("one")
    page.idle()
    page.tab.get_by_role("button", name="Edit").click()
    expect(page.tab.get_by_label("Edit the message")).to_be_focused()
    paste(page, png())
    expect(note(page)).to_contain_text("not to one that is edited")
    expect(items(page)).to_have_count(0)
    page.tab.focus("#message")
    paste(page, png())
    ready(page)
    expect(note(page)).to_be_hidden()


def test_a_picture_that_the_model_made_is_shown_as_it_comes_and_after_a_reload(
    context, shared_server, upstream
):
    made, more = png(120, 80), threading.Event()

    def reply(exchange):
        exchange.start()
        exchange.delta("Here it is:")
        exchange.event(drawn(made))
        assert more.wait(60)
        exchange.delta("Done.")
        exchange.finish()

    upstream.reply = reply
    page = ChatPage(context, shared_server.url).open()
    page.send("Draw")
    width = "document.querySelector('.reply .picture img')?.naturalWidth === 120"
    page.holds(width)
    expect(page.tab.locator("#stop")).to_be_visible()
    more.set()
    page.idle()
    order = "[...document.querySelectorAll('.reply > :is(.text, .picture)')].map(e => e.className)"
    assert [name.split()[0] for name in page.tab.evaluate(order)] == ["text", "picture", "text"]
    page.tab.reload()
    page.ready()
    page.holds(width)
    assert len(page.tab.evaluate(order)) == 3
    assert page.complaints == []


def test_a_picture_that_cannot_be_loaded_says_so_and_is_asked_for_again(context, server):
    page = ChatPage(context, server.url).open()
    pick(page, PHOTO)
    page.send("Look")
    page.idle()
    page.tab.route("**/api/attachments/*", lambda route: route.abort())
    page.tab.reload()
    page.ready()
    failed = page.tab.get_by_role("button", name="photo.png could not be loaded. Try again")
    expect(failed).to_be_visible()
    expect(pictures(page)).to_have_count(0)
    page.tab.unroute("**/api/attachments/*")
    failed.click()
    expect(pictures(page)).to_have_count(1)
    expect(page.tab.get_by_role("dialog")).to_have_count(0)
    expect(page.tab.get_by_role("button", name="Open photo.png")).to_be_visible()


def test_addresses_of_pictures_are_revoked(page):
    page.tab.add_init_script("""
        const [make, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
        window.open_ = new Set();
        URL.createObjectURL = (blob) => { open_.add(make(blob)); return [...open_].at(-1); };
        URL.revokeObjectURL = (url) => { open_.delete(url); revoke(url); };
    """)
    page.tab.reload()
    page.ready()
    pick(page, PHOTO)
    ready(page)
    page.send("Look")
    page.idle()
    expect(pictures(page)).to_have_count(1)
    page.holds("open_.size === 1")
    page.tab.click("#new-chat")
    page.holds("open_.size === 0")
