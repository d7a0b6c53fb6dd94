"""Write docs/results.md, and what stands between markers on other pages, from the JSON files beside this script."""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from pages import edge_lines, findings_lines, read, readme_lines  # noqa: E402
from sections import SECTIONS  # noqa: E402

ROOT = HERE.parent.parent


def main() -> None:
    """Generate."""
    for page, text in page_texts().items():
        page.write_text(text, encoding="utf-8")


def page_texts() -> dict[Path, str]:
    """Every page with its text, as the records have it."""
    parts = ["# Results", "", "Written by `make results` from the JSON files in `docs/results/`; do not edit."]
    for title, name, intro, table, of_the_set in SECTIONS:
        record = read(name)
        known = facts(record, of_the_set)
        head, text = title.format_map(known), intro.format_map(known)
        parts += ["", f"## {head}", "", text, "", table(record["result"]), "", provenance(record)]
    docs = HERE.parent
    lines = {ROOT / "README.md": readme_lines(), docs / "findings.md": findings_lines(), docs / "edge.md": edge_lines()}
    return {docs / "results.md": "\n".join(parts) + "\n"} | {page: filled(page, lines[page]) for page in lines}


def filled(page: Path, lines: dict[str, str]) -> str:
    """The text of a page with each line put in between its markers."""
    text = page.read_text(encoding="utf-8")
    for name, line in lines.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(start)
        _, _, after = rest.partition(end)
        text = f"{before}{start}{line}{end}{after}"
    return text


def facts(record: dict[str, Any], of_the_set: str) -> dict[str, Any]:
    """The figures of a record that stand in its section's title and text."""
    known: dict[str, Any] = {}
    result = record["result"]
    if isinstance(result, dict):
        known |= {"device": str(result.get("device", "")).upper(), "scored": result.get("images")}
    if isinstance(result, dict) and "shape" in result:
        known["shape"] = "x".join(map(str, result["shape"]))
    if isinstance(result, dict) and "budget" in result:
        *others, last = [f"{rate:g}" for rate in result.get("rates", ())] or [""]
        rates = f"{', '.join(others)} and {last}" if others else last
        known |= {"rates": rates, "sets": sets_of(result), "timed": record.get("timed_at", "")}
    elif isinstance(result, dict) and "cells" in result:
        cells = result["cells"]
        sizes = {f"{h}" if h == w else f"{h}x{w}" for h, w in (cell["size"] for cell in cells)}
        known |= {
            "recipe": result["recipe"],
            "classes": one({len(cell["report"]["classes"]) for cell in cells}),
            "epochs": one({cell["epochs"] for cell in cells}),
            "size": one(sizes),
            "images": images_of(next((cell for cell in cells if "images" in cell), cells[0]), of_the_set),
            "machine": result["environment"]["gpu"] or f"{record['cores']} CPU cores",
        }
    return known


def sets_of(result: dict[str, Any]) -> str:
    """How each set of a comparison was used."""
    parts = []
    for name in dict.fromkeys(cell["set"] for cell in result["cells"]):
        cells = [cell for cell in result["cells"] if cell["set"] == name]
        count, (h, w) = cells[0]["images"], cells[0]["size"]
        images = f"{count['train']}, {count['val']} and {count['test']} images"
        seeds = len({cell["seed"] for cell in cells})
        more = f", up to {seeds} seeds" if seeds > 1 else ""
        parts.append(f"{name} ({images}, {cells[0]['epochs']} epochs at {h}x{w}{more})")
    return "; ".join(parts)


def one(values: set[Any]) -> Any:
    """What all cells have in common; a text that says one figure of all must not stand over cells that differ."""
    if len(values) != 1:
        raise SystemExit(f"cells of one record differ: {', '.join(map(str, sorted(values)))}")
    return next(iter(values))


def images_of(cell: dict[str, Any], of_the_set: str) -> str:
    """How many images were in which split."""
    if "images" in cell:
        count = cell["images"]
        return f"{count['train']} images to train, {count['val']} to validate, {count['test']} to test"
    return f"{of_the_set}, {cell['report']['images']} to test"


def provenance(record: dict[str, Any]) -> str:
    """One line: how to get these figures again, and where they were made."""
    machine = f"{record['cores']} cores of {record['processor']}, load {record['load_before']} before"
    trained = f"; its cells were trained at {record['cells_trained_at']}" if "cells_trained_at" in record else ""
    return f"`{record['command']}` at commit {record['commit']}, {record['date']}{trained}; {machine}."


if __name__ == "__main__":
    main()
