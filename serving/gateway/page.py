"""The OpenAPI document as a page for people: plain HTML, nothing from elsewhere, no scripts."""

from __future__ import annotations

import html
import json
from typing import Any, Final

# What the browser may load for it: nothing but the style in it.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'"
)
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f23; background: #fff }
h2 { font: 600 1rem ui-monospace, monospace; margin: 2rem 0 .3rem; border-top: 1px solid #d0d7de; padding-top: 1rem }
h2 b { color: #0550ae; margin-right: .5rem }
table { border-collapse: collapse } td { padding: .1rem 1rem .1rem 0; vertical-align: top }
td:first-child, pre { font: .875rem/1.4 ui-monospace, monospace }
pre { background: #f6f8fa; padding: .8rem; overflow-x: auto }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117 } h2 { border-color: #30363d } h2 b { color: #79c0ff }
  pre { background: #161b22 } a { color: #79c0ff } }
"""


def render_page(document: dict[str, Any]) -> str:
    """HTML of an OpenAPI document."""
    info = document["info"]
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    schemas = html.escape(json.dumps(document["components"]["schemas"], indent=1))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(info["title"])} API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{_text(info['title'])} API</h1><p>{_text(info['description'])}</p>"
        f'<p>For programs: <a href="openapi.json">openapi.json</a></p>{operations}'
        f'<h2 id="schemas">schemas</h2><pre>{schemas}</pre></body></html>'
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = [(f"{one['name']} ({one['in']})", one["description"]) for one in operation.get("parameters", ())]
    body = operation.get("requestBody", {}).get("content", {})
    rows += [(f"body {media_type}", _schema_name(content)) for media_type, content in body.items()]
    rows += [
        (status, f"{answer['description']} {_schema_name(next(iter(answer['content'].values())))}".strip())
        for status, answer in operation["responses"].items()
    ]
    table = "".join(f"<tr><td>{_text(name)}</td><td>{_text(says)}</td></tr>" for name, says in rows)
    token = (
        "<p>Needs the token: <code>Authorization: Bearer TOKEN</code></p>" if "security" in operation else ""
    )
    return (
        f"<h2><b>{method.upper()}</b>{_text(path)}</h2><p>{_text(operation['summary'])}</p>{token}"
        f"<table>{table}</table>"
    )


def _schema_name(content: dict[str, Any]) -> str:
    target = content.get("schema", {}).get("$ref", "")
    return f"({target.rpartition('/')[2]})" if target else ""


def _text(value: object) -> str:
    return html.escape(str(value))
