"""The API's documentation as one HTML page, made from its OpenAPI description; no scripts, nothing external."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>photo2anime API</title>
<meta name="viewport" content="width=device-width"><style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem;
  margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }}
table {{ border-collapse: collapse; width: 100% }}
td {{ border-top: 1px solid #8884; padding: .3rem .6rem .3rem 0; vertical-align: top }}
code, pre {{ font-size: .9rem }} pre {{ overflow: auto; background: #8882; padding: .8rem; border-radius: .5rem }}
</style></head><body><h1>photo2anime API</h1>
<p>The same as <a href="openapi.json">openapi.json</a>.</p>
{reference}</body></html>"""
_HOW = """<p>With a token: <code>Authorization: Bearer TOKEN</code>.</p>
<pre><code>curl -F photo=@photo.jpg -F style=shinkai {url}api/paint -o anime.jpg
curl --data-binary @photo.png -H 'Content-Type: image/png' '{url}api/paint?strength=0.7' -o anime.png</code></pre>"""

_CODE = re.compile("`([^`]+)`")


def docs_page(description: dict[str, Any]) -> str:
    """The page, as HTML, of an OpenAPI description."""
    return _PAGE.format(reference=reference(description))


def reference(description: dict[str, Any]) -> str:
    """What stands on that page, for other pages too."""
    url = description["servers"][0]["url"].rstrip("/") + "/"
    routes = "".join(
        _route(method, path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    )
    return _HOW.format(url="http://127.0.0.1:7860" + escape(url)) + routes


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    fields = "".join(_field(field) for field in operation.get("parameters", []))
    told = _CODE.sub(r"<code>\1</code>", escape(operation.get("description", "")))
    answers = "".join(_row(status, answer["description"]) for status, answer in operation["responses"].items())
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation.get('summary', ''))}. "
        f"{told}</p>"
        + (f"<h3>Fields</h3><table>{fields}</table>" if fields else "")
        + f"<h3>Answers</h3><table>{answers}</table>"
    )


def _field(field: dict[str, Any]) -> str:
    schema = field["schema"]
    default = "" if schema.get("default") is None else f"; default {json.dumps(schema['default'])}"
    return _row(field["name"], f"{field.get('description', '')}: {_accepted(schema)}{default}")


def _accepted(schema: dict[str, Any]) -> str:
    """What a field takes, in words."""
    schema = next((one for one in schema.get("anyOf", []) if one.get("type") != "null"), schema)
    if "enum" in schema:
        return ", ".join(schema["enum"])
    kind = {"boolean": "true or false", "string": "text"}.get(schema["type"], schema["type"])
    return f"{kind} from {schema['minimum']} to {schema['maximum']}" if "minimum" in schema else kind


def _row(name: str, text: str) -> str:
    return f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>"
