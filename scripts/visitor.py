"""A visitor of a running server as a browser is one: uploads, presses a button, follows its events, and may leave."""

from __future__ import annotations

import json
import uuid
from collections.abc import Generator
from typing import Any

import httpx


class Visitor:
    """One visitor of the page at url (…/zh for the Chinese one)."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=300, trust_env=False)
        self.session = uuid.uuid4().hex
        config = self.client.get("/config").raise_for_status().json()
        names = {component["id"]: component["props"].get("elem_id") for component in config["components"]}
        values = {component["id"]: component["props"].get("value") for component in config["components"]}
        self.buttons = {  # the function behind it, the button's own id, and the values below the upload as they stand
            names[target]: (dependency["id"], target, [values[given] for given in dependency["inputs"][1:]])
            for dependency in config["dependencies"]
            for target, event in dependency["targets"]
            if event == "click" and names.get(target)
        }

    def upload(self, *files: tuple[str, bytes]) -> list[dict[str, Any]]:
        """Files by name and content, uploaded; as a button takes them."""
        answer = self.client.post("/gradio_api/upload", files=[("files", file) for file in files])
        answer.raise_for_status()
        return [
            {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
            for path, (name, _) in zip(answer.json(), files, strict=True)
        ]

    def press(self, button: str, given: Any) -> None:
        """Presses the button of this elem_id with an upload, or a list of them."""
        function, target, values = self.buttons[button]
        message = {"data": [given, *values], "fn_index": function, "session_hash": self.session, "trigger_id": target}
        self.client.post("/gradio_api/queue/join", json=message).raise_for_status()

    def events(self) -> Generator[dict[str, Any], None, None]:
        """The events of what was pressed, as they come. Closing the generator is closing the page."""
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])

    def result(self) -> dict[str, Any]:
        """How it ended: {"success": .., "output": {"data": [..]} or {"error": ..}}."""
        for event in self.events():
            if event["msg"] == "process_completed":
                return event
        raise RuntimeError("the stream ended before the result came")

    def leave(self) -> None:
        """Closes every connection."""
        self.client.close()
