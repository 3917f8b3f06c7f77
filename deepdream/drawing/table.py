"""A net as a table: what a notebook shows for ``net``, and what ``deepdream layers`` prints."""

from __future__ import annotations

from html import escape
from typing import Any

from .boxes import Box, boxes, find_target

# The class stands twice, or JupyterLab's rules for tables would outweigh these.
# Text keeps the colour of the page, lines and shades are see-through: light and dark pages alike.
_STYLE = """<style>
NET{font-size:13px;line-height:1.4;max-width:100%;margin:0 0 8px}
NET summary{cursor:pointer;padding:4px 0}
NET>div{width:fit-content;max-width:100%;
border:1px solid rgba(128,128,128,.35);border-radius:4px}
@media print{NET>div{max-height:none!important}}
NET table{border-collapse:collapse;margin:0;width:auto;font-size:12px;color:inherit}
NET th,NET td{padding:3px 10px;text-align:left;vertical-align:top;
white-space:nowrap;color:inherit;background:none;border:0;
border-bottom:1px solid rgba(128,128,128,.2)}
NET thead th{position:sticky;top:0;background:rgba(128,128,128,.2);
-webkit-backdrop-filter:blur(8px);backdrop-filter:blur(8px)}
NET th[scope=row]{font-family:monospace;font-weight:normal}
NET .n{text-align:right;font-variant-numeric:tabular-nums}
NET .look{white-space:normal;min-width:9em}
NET small{opacity:.75;font-size:inherit}
NET tr.target th{font-weight:bold}
</style>""".replace("NET", ".deepdream-net.deepdream-net")

# In the elements themselves: a notebook that is not trusted drops the style sheet.
_SCROLLS = "max-height:30em;overflow:auto"
_MARKED = "background:rgba(194,24,91,.16)"
_LOOK = '<td class="look">{}</td>'


def table(net: Any) -> str:
    """Return a net's layers as HTML, without scripts.

    Parameters
    ----------
    net : Graph
        Of this package.

    Returns
    -------
    str
        A table that scrolls, opens and closes, with a row for each layer: name, type, blob shape,
        stride, receptive field, and what one sees there, where that is known of the net. The layer
        that is recommended for dreams is marked.
    """
    made = boxes(net)
    target = find_target(net, made, None)
    looks = net.model.layers if net.model else {}
    last = "looks like" if looks else " " if target else ""
    rows = [_row(box, box.name == target, looks.get(box.name, ""), bool(last)) for box in made]
    head = f'<th class="look">{last}</th>' if last else ""
    return (
        f'{_STYLE}<details class="deepdream-net" open><summary>{_summary(net, target)}</summary>'
        f'<div style="{_SCROLLS}"><table><thead><tr><th>layer</th><th>type</th><th>blob</th>'
        '<th class="n">stride</th>'
        f'<th class="n">receptive field</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _summary(net: Any, target: str) -> str:
    parameters = sum(blob.count for layer in net._layers for blob in layer.blobs)
    inputs = ", ".join(
        f"{name} {'×'.join(str(side) for side in net.blobs[name].shape)}" for name in net.inputs
    )
    layers = sum(layer.type != "Split" for layer in net._layers)
    parts = [f"{layers} layers", f"{parameters:,} parameters", escape(inputs)]
    if target:
        parts.append(f"recommended for dreams: <code>{escape(target)}</code>")
    return f"<b>{escape(net.name or 'Net')}</b>: {', '.join(part for part in parts if part)}"


def _row(box: Box, marked: bool, look: str, last: bool) -> str:
    """Return a layer's row; `last` tells whether there is a column for what it looks like."""
    look = escape(look)
    if marked:
        look = f"&#9733; {look or 'recommended'}"
    row = f'<tr class="target" style="{_MARKED}">' if marked else "<tr>"
    in_place = "".join(f" <small>+ {escape(layer.type)}</small>" for layer in box.folded)
    return (
        f'{row}<th scope="row">{escape(box.name)}</th>'
        f"<td>{escape(box.words)}{in_place}</td><td>{box.shape}</td>"
        f'<td class="n">{box.stride}</td><td class="n">{box.field_of_view}</td>'
        f"{_LOOK.format(look) if last else ''}</tr>"
    )
