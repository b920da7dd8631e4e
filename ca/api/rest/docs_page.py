"""The page at `/docs`: every route with its scope and parameters, and nothing from elsewhere.

The framework's own page loads programs from the Internet; a CA's administrators should not.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h2{margin:2.5rem 0 .5rem} code{background:#f3f3f3;padding:.1rem .3rem;border-radius:3px}
section{border-top:1px solid #ddd;padding:.8rem 0} .verb{font-weight:700;color:#05595b}
.scope{float:right;color:#666} ul{margin:.3rem 0} p{margin:.2rem 0}
@media (prefers-color-scheme:dark){body{background:#181818;color:#ddd}code{background:#2a2a2a}
.verb{color:#7fd1ae}section{border-color:#333}}
"""


def render(document: Mapping[str, Any]) -> str:
    """Write the page for an OpenAPI document."""
    title = escape(document["info"]["title"])
    body = "".join(_operations(document))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{escape(document['info']['description'])}</p>"
        f'<p>The same for programs: <a href="openapi.json">openapi.json</a></p>{body}</html>'
    )


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield _operation(path, verb, operation)


def _operation(path: str, verb: str, operation: Mapping[str, Any]) -> str:
    scopes = [
        scope for need in operation.get("security", ()) for scope in next(iter(need.values()))
    ]
    shown = f'<span class="scope">{escape(", ".join(scopes))}</span>' if scopes else ""
    parameters = "".join(map(_parameter, operation.get("parameters", ())))
    listed = f"<ul>{parameters}</ul>" if parameters else ""
    return (
        f'<section>{shown}<span class="verb">{escape(verb.upper())}</span> '
        f"<code>{escape(path)}</code><p>{escape(operation.get('description', ''))}</p>"
        f"{_takes(operation)}{listed}</section>"
    )


def _parameter(parameter: Mapping[str, Any]) -> str:
    said = parameter.get("description", "")
    return f"<li><code>{escape(parameter['name'])}</code> {escape(said)}</li>"


def _takes(operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    names = {
        each.get("schema", {}).get("$ref", "").rpartition("/")[2] for each in content.values()
    } - {""}
    return f"<p>takes <code>{escape(', '.join(sorted(names)))}</code></p>" if names else ""
