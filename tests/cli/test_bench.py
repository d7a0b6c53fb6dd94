"""`onenet bench`: what networks cost, as tables and as JSON."""

import json

from onenet.bench.complexity import TABLE_2
from onenet.cli.bench import table2_markdown, train_markdown


def test_table_2_has_every_row_of_the_paper_beside_ours(onenet_command):
    rows = json.loads(onenet_command("bench", "table2", "--json").out)
    assert [row["row"] for row in rows] == [row.label for row in TABLE_2]
    assert rows[0]["paper"]["parameters_m"] == 31.04
    lines = table2_markdown(rows).splitlines()
    columns = lines[0].count("|")
    assert all(line.count("|") == columns for line in lines[: len(rows) + 2])
    assert "/ 31.04" in lines[2]


def test_the_timed_forms_stand_in_a_table():
    row = {"form": "literal", "precision": "float32", "median_ms": 12.4, "min_ms": 10.0, "max_ms": 20.0, "speedup": 1.0}
    table = train_markdown({"batch": 8, "size": 128, "repeats": 7, "threads": 2, "rows": [row]})
    assert "| literal | float32 | 12 | 10 to 20 | 1.00 |" in table
    assert "8 x 3x128x128, 2 threads, 7 interleaved rounds" in table


def test_a_step_is_timed(onenet_command):
    done = onenet_command("bench", "train", "--batch", 2, "--size", 16, "--repeats", 1, "--json")
    result = json.loads(done.out)
    assert (result["batch"], result["size"]) == (2, 16)
    assert result["rows"][0]["speedup"] == 1 and all(row["median_ms"] > 0 for row in result["rows"])


def test_the_literal_form_takes_multiples_of_16(onenet_command):
    assert "multiples of 16 only; use 112" in onenet_command("bench", "train", "--size", 100).error


def test_a_batch_of_one_of_the_smallest_size_leaves_batch_norm_one_value(onenet_command):
    assert "--batch" in onenet_command("bench", "train", "--batch", 1, "--size", 16).error
