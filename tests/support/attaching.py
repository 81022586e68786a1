"""Pictures and files as people have them, and the ways in which they put them into the page."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

from tests.support.files import picture

COPY = """async (base64) => {
    const bytes = await (await fetch("data:image/png;base64," + base64)).blob();
    await navigator.clipboard.write([new ClipboardItem({"image/png": bytes})]);
}"""


def png(width: int = 64, height: int = 48, colour: str = "teal") -> bytes:
    """Return a picture of one colour."""
    return picture("PNG", (width, height), colour)


def noise(size: int) -> bytes:
    """Return a picture of at least that many bytes, which no compression makes smaller."""
    side = int((size / 3) ** 0.5) + 1
    out = io.BytesIO()
    Image.effect_noise((side * 2, side * 2), 100).save(out, "PNG", compress_level=0)
    return out.getvalue()


def chosen(name: str, data: bytes, media_type: str = "image/png") -> dict[str, Any]:
    """Return a file as the dialog of the browser hands it over."""
    return {"name": name, "mimeType": media_type, "buffer": data}


def pick(page: Any, *files: dict[str, Any]) -> None:
    """Choose files by the button."""
    with page.tab.expect_file_chooser() as chooser:
        page.tab.get_by_role("button", name="Attach pictures or files").click()
    chooser.value.set_files(list(files))


def paste(page: Any, data: bytes) -> None:
    """Copy a picture, and paste it where the caret is."""
    page.tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    # A page of the strict policy may not fetch `data:`: copied in another one.
    other = page.tab.context.new_page()
    other.goto(f"{page.url}/health")
    other.evaluate(COPY, base64.b64encode(data).decode())
    other.close()
    page.tab.bring_to_front()
    page.tab.keyboard.press("Control+V")


class Drag:
    """Files that are dragged in from outside of the browser."""

    def __init__(self, page: Any, *paths: Path) -> None:
        self._cdp = page.tab.context.new_cdp_session(page.tab)
        files = [str(path) for path in paths]
        self._data = {"items": [], "files": files, "dragOperationsMask": 1}

    def enter(self) -> Drag:
        """Bring them over the page."""
        self._send("dragEnter")
        self._send("dragOver")
        return self

    def drop(self) -> None:
        """Let go of them."""
        self._send("drop")

    def leave(self) -> None:
        """Take them out of the window again."""
        self._send("dragOver", 100_000)

    def _send(self, kind: str, x: int = 300) -> None:
        at = {"type": kind, "x": x, "y": 200, "data": self._data}
        self._cdp.send("Input.dispatchDragEvent", at)
