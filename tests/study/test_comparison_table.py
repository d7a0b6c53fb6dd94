"""What a comparison shows: a table with a row per network, and pictures of what a score costs."""

from xml.etree import ElementTree

import pytest

from onenet.study.comparison_table import comparison_markdown, points
from onenet.study.front_plot import OTHERS, OURS, Mark, draw_front, front


def cell(model, seed, exact, integers=None):
    files = {"mean_iou": integers, "megabytes": 0.9, "islands": 0} if integers is not None else {"failed": "no form"}
    return {"set": "pet", "model": model, "seed": seed, "parameters": 1e6, "gmacs": 0.5, "learning_rate": 1e-3,
            "mean_iou": exact, "files": files}  # fmt: skip


def timing(model, precision, ms):
    return {"model": model, "precision": precision, "ms": {"median": ms}}


RESULT = {
    "split": "test", "missing": [], "failed": [],
    "cells": [
        cell("onenet-x-s", 0, 0.70, 0.697), cell("onenet-x-s", 1, 0.72, 0.717), cell("light", 0, 0.65, 0.2),
        cell("odd", 0, 0.5),
    ],
    "timing": {"rows": [
        timing("light", "float", 3.0), timing("light", "int8", 4.0), timing("onenet-x-s", "float", 5.0),
        timing("onenet-x-s", "int8", 2.0),
    ]},
}  # fmt: skip


def test_the_table_has_a_row_per_network_the_quickest_first():
    lines = comparison_markdown(RESULT).splitlines()
    columns = ["network", "parameters, M", "GMAC at 256x256", "INT8, MB", "INT8, ms", "float, ms", "in float", "rate"]
    assert lines[0] == f"| {' | '.join([*columns, 'pet'])} |"
    assert lines[2] == "| onenet-x-s | 1.00 | 0.50 | 0.90 | 2.0 | 5.0 | 0 | 0.001 | 0.707 ± 0.014 (0.710) |"
    assert lines[3] == "| light | 1.00 | 0.50 | 0.90 | 4.0 | 3.0 | 0 | 0.001 | 0.200† (0.650), seed 0 |"
    assert lines[4] == "| odd | 1.00 | 0.50 |  |  |  |  | 0.001 | (0.500), seed 0 |"
    assert lines[6].startswith("† In INT8 it loses more than half a point")
    failed = [cell("half", 0, 0.7, 0.7), cell("half", 1, 0.8)]  # INT8 of one seed: it stands beside that one's float
    assert "| 0.700 (0.700) |" in comparison_markdown(RESULT | {"cells": failed})
    kept = [one for one in RESULT["cells"] if one["model"] != "light"]
    assert "†" not in comparison_markdown(RESULT | {"cells": kept})


def test_what_a_network_costs_is_of_the_first_set_whichever_seed_it_has_there():
    other = cell("light", 0, 0.6, 0.6) | {"set": "nuclei", "gmacs": 0.25}
    late = cell("light", 1, 0.5, 0.5) | {"learning_rate": 9.375e-05}  # of pet, after a seed 0 of nuclei
    lines = comparison_markdown(RESULT | {"cells": [RESULT["cells"][0], other, late]}).splitlines()
    row = "| light | 1.00 | 0.50 | 0.90 | 4.0 | 3.0 | 0 | 0.00009375 | 0.500 (0.500), seed 1 | 0.600 (0.600) |"
    assert row in lines


def test_seeds_are_named_where_another_network_has_more_and_floats_by_the_sets():
    more = [cell("light", 1, 0.65, 0.2), cell("few", 0, 0.5, 0.5), cell("few", 1, 0.5, 0.5), cell("all", 2, 0.5, 0.5)]
    cells = [*RESULT["cells"], *more, cell("light", 2, 0.65, 0.2)]
    cells[-1]["files"]["islands"] = 16
    text = comparison_markdown(RESULT | {"cells": cells})
    assert "| 0.707 ± 0.014 (0.710), seeds 0, 1 |" in text and "| 0.500 (0.500), seed 2 |" in text
    assert "| 0 to 16 | 0.001 | 0.200 ± 0.000† (0.650) |" in text


def test_a_network_has_a_point_for_each_of_its_files_with_that_ones_score():
    found = {(point.model, point.precision): point for point in points(RESULT)}
    assert list(dict.fromkeys(model for model, _ in found)) == ["onenet-x-s", "light", "odd"]  # the quickest first
    integers, exact = found["onenet-x-s", "int8"], found["onenet-x-s", "float"]
    assert (integers.ms, integers.megabytes, integers.scores) == (2.0, 0.9, {"pet": (0.697, 0.717)})
    assert (exact.ms, exact.megabytes, exact.scores) == (5.0, 4.0, {"pet": (0.70, 0.72)})
    assert [found["light", precision].ms for precision in ("int8", "float")] == [4.0, 3.0]
    assert (found["odd", "int8"].scores, found["odd", "float"].megabytes) == ({}, None)


def test_the_size_of_a_float_file_is_shown_and_of_earlier_results_that_of_the_parameters():
    known = [one | {"files": one["files"] | {"float_megabytes": 3.0}} for one in RESULT["cells"]]
    assert "4 bytes" not in draw_front(RESULT | {"cells": known}, "pet", "megabytes")
    assert "MB of the file, in float 4 bytes a parameter" in draw_front(RESULT, "pet", "megabytes")


def circles(picture):
    return [element for element in ElementTree.fromstring(picture) if element.tag.endswith("circle")]


def test_the_picture_has_a_mark_for_each_file_that_was_timed():
    picture = draw_front(RESULT, "pet", "ms")
    legend, marks = circles(picture)[:2], circles(picture)[2:]
    assert [mark.get("fill") == "white" for mark in legend] == [False, True]
    assert [(mark.get("fill") == "white", mark.get("stroke")) for mark in marks] == [
        (True, OURS), (False, OURS), (True, OTHERS), (False, OTHERS)
    ]  # fmt: skip
    across = [float(mark.get("cx")) for mark in marks]  # 5, 2, 3 and 4 ms
    assert across[1] < across[2] < across[3] < across[0]
    texts = [element.text for element in ElementTree.fromstring(picture) if element.tag.endswith("text")]
    assert {"onenet-x-s", "light", "INT8", "float", "front"} <= set(texts) and "odd" not in texts
    with pytest.raises(ValueError, match="no network has"):
        draw_front(RESULT, "nuclei", "ms")


def test_the_front_is_what_nothing_beats():
    shown = [Mark(name, "int8", cost, score) for name, cost, score in (
        ("a", 1.0, 0.5), ("b", 2.0, 0.4), ("c", 3.0, 0.6), ("d", 3.0, 0.55), ("e", 9.0, 0.6),
    )]  # fmt: skip
    assert [point.name for point in front(shown)] == ["a", "c"]


@pytest.mark.parametrize("cost", ["ms", "megabytes"])
def test_a_float_file_is_on_the_front_where_it_is_the_best(cost):
    """As that of DABNet on CamVid: slower than its INT8 file, larger, and better than anything."""
    result = RESULT | {"cells": [cell("onenet-x-s", 0, 0.60, 0.61), cell("light", 0, 0.65, 0.2)]}
    root = ElementTree.fromstring(draw_front(result, "pet", cost))
    line = next(element for element in root if element.tag.endswith("polyline")).get("points").split()
    _, ours, light, _ = [f"{mark.get('cx')},{mark.get('cy')}" for mark in circles(ElementTree.tostring(root))[2:]]
    assert line == [ours, light]
