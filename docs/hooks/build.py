"""Parts of the site that are made from the code when it is built: the table of papers, pictures."""

from resolvent.papers import ALL


def on_page_markdown(markdown: str, **_) -> str:
    """Put the table of papers where a page asks for it."""
    return markdown.replace("<!-- papers -->", papers_table())


def papers_table() -> str:
    """One row a paper."""
    rows = ["| system | paper | choices | claims |", "|---|---|---|---|"]
    for paper in ALL:
        claims = ", ".join(f"`{claim.name}`" for claim in paper.claims) or "-"
        source = f"{paper.title} ({paper.year})"
        rows.append(f"| {paper.name} | {source} | {paper.choices} | {claims} |")
    return "\n".join(rows)
