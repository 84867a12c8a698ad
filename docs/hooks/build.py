"""Parts of the site that are made when it is built: the table of papers, and formulas as MathML.

MathML needs no script and no network: browsers draw it.
"""

import re
from html import unescape

from latex2mathml.converter import convert

from resolvent.papers import ALL

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_page_markdown(markdown: str, **_) -> str:
    """Put the table of papers where a page asks for it."""
    return markdown.replace("<!-- papers -->", papers_table())


def on_page_content(html: str, **_) -> str:
    """Turn every formula into MathML."""
    return FORMULA.sub(_mathml, html)


def papers_table() -> str:
    """One row a paper."""
    rows = ["| system | paper | choices | claims |", "|---|---|---|---|"]
    for paper in ALL:
        claims = ", ".join(f"`{claim.name}`" for claim in paper.claims) or "-"
        cells = (paper.name, f"{paper.title} ({paper.year})", paper.choices, claims)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def _mathml(match: re.Match[str]) -> str:
    display = "block" if match[2] == "[" else "inline"
    return convert(unescape(match[3]).strip(), display=display)
