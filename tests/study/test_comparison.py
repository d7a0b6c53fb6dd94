"""A comparison: learning rates searched alike for all, every cell in float and INT8, continued where it ended."""

import copy
import json
import shutil
from contextlib import ExitStack
from dataclasses import replace

import pytest

from onenet.errors import ConfigError, OneNetError, TrainError
from onenet.study.claims import TakenError, claim
from onenet.study.comparison import run_comparison, train_comparison
from onenet.study.comparison_table import comparison_markdown
from onenet.study.plan import Comparison, ImageSet
from onenet.study.settings import folder_name
from onenet.study.timing import timing_of
from onenet.training.folder import RunFolder

MODELS = ("onenet-ed-4,width=4,depth=2", "onenet-x-n,width=8,deepest=8")


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """Small images; and where a test is not about files and times, files that are empty and times that are made up."""
    monkeypatch.setattr("onenet.study.scored_cell.COUNTED_AT", (32, 32))
    monkeypatch.setattr("onenet.study.timing.COUNTED_AT", (32, 32))
    if "slow" in request.keywords:
        monkeypatch.setattr("onenet.bench.latency.LARGE", (64, 32, 16))
        monkeypatch.setattr("onenet.bench.rates._best_seconds", lambda shape, precision, threads: 0.001)
    else:
        monkeypatch.setattr("onenet.study.scored_cell._exported", write_nothing)
        monkeypatch.setattr("onenet.study.timing.timed", time_nothing)


def write_nothing(folder, config, split):
    names = {"float": ["model.onnx"], "int8": ["model.int8.onnx"]}
    for name in (*names["float"], *names["int8"]):
        (folder.path / name).write_bytes(b"")
    return {**names, "megabytes": 0.0, "float_megabytes": 0.0, "mean_iou": 0.5, "islands": 0, "kept_float": []}


def time_nothing(cells, of_set, out, say):
    kinds = [(model, precision) for model in MODELS for precision in ("float", "int8")]
    rows = [{"model": model, "precision": precision, "ms": {"median": 1.0}} for model, precision in kinds]
    return {"size": 32, "of_set": of_set, "rows": rows}


@pytest.fixture
def plan(photos):
    sets = tuple(ImageSet(name, "photos", overrides) for name, overrides in (("one", ()), ("two", ("data.val=0.3",))))
    photos(count=8, size=(24, 24))
    overrides = ("train.epochs=1", "train.batch=2", "data.size=16", "data.fit=none", "train.examples=0")
    return Comparison("pareto", "cpu", "default", "test", MODELS, sets, (0,), (1e-3, 1e-2), overrides, "one")


class Trainer:
    def __init__(self):
        self.runs = []

    def __call__(self, run):
        self.runs.append((run.folder.path.parent.name, run.config.model["name"], run.config.train.learning_rate))
        for _ in run.epochs():
            pass


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """What the first test that asks for a finished comparison has made, for the others: it takes seconds."""
    return {"folder": tmp_path_factory.mktemp("kept") / "study"}


@pytest.fixture
def done(plan, tmp_path, kept):
    """A finished comparison in `tmp_path`/study: its result, and the trainer with its runs."""
    if "made" not in kept:
        trainer = Trainer()
        kept["made"] = run_comparison(plan, str(tmp_path), [], tmp_path / "study", trainer), trainer
        shutil.copytree(tmp_path / "study", kept["folder"])
    else:
        shutil.copytree(kept["folder"], tmp_path / "study")
    return copy.deepcopy(kept["made"])


def test_rates_are_searched_on_the_first_set_and_the_better_one_is_used_everywhere(done):
    result, trainer = done
    assert [run for run in trainer.runs if run[0] == "one"] == [
        (("one", name, rate)) for name in ("onenet-ed-4", "onenet-x-n") for rate in (1e-3, 1e-2)
    ]
    for cell in result["cells"]:
        tried = {float(rate): value for rate, value in cell["validation_by_rate"].items()}
        assert set(tried) == {1e-3, 1e-2} and cell["learning_rate"] == max(tried, key=tried.get)
    chosen = {cell["model"].split(",")[0]: cell["learning_rate"] for cell in result["cells"]}
    assert [run for run in trainer.runs if run[0] == "two"] == [("two", name, rate) for name, rate in chosen.items()]


@pytest.mark.slow
def test_every_cell_has_its_scores_its_files_and_their_times(plan, photos, tmp_path):
    # In windows of 16 pixels the deepest level is one place: a step's norms see two numbers a channel, the logits run
    # into hundreds, and whether a file keeps them to 1e-5 depends on the processor's rounding.
    photos(count=8, size=(64, 64))
    plan = replace(plan, overrides=(*plan.overrides, "data.size=64", "train.batch=4", "train.epochs=8"))
    result = run_comparison(plan, str(tmp_path), [], tmp_path / "study", Trainer())
    assert [(cell["set"], cell["model"]) for cell in result["cells"]] == [
        (one, model) for one in ("one", "two") for model in MODELS
    ]
    for cell in result["cells"]:
        files = cell["files"]
        assert "failed" not in files, files["failed"]
        assert 0 <= cell["mean_iou"] <= 1 and 0 <= files["mean_iou"] <= 1
        assert files["islands"] == 0 or files["kept_float"]
        assert len(files["int8"]) == len(files["float"]) == (2 if "ed" in cell["model"] else 1)
        folder = tmp_path / "study" / cell["folder"]
        for key, kind in (("megabytes", "int8"), ("float_megabytes", "float")):
            assert files[key] in {round((folder / name).stat().st_size / 1e6, 3) for name in files[kind]}
        assert cell["parameters"] > 0 and cell["gmacs"] >= 0
    timed = {(row["model"], row["precision"]) for row in result["timing"]["rows"]}
    assert timed == {(model, precision) for model in MODELS for precision in ("float", "int8")}
    assert all(row["ms"]["median"] > 0 for row in result["timing"]["rows"])
    json.dumps(result, allow_nan=False)


def test_what_is_done_is_not_done_again_and_no_cell_begins_too_late(done, plan, tmp_path):
    result, _ = done
    trainer = Trainer()
    assert run_comparison(plan, str(tmp_path), [], tmp_path / "study", trainer)["cells"] == result["cells"]
    assert trainer.runs == []
    late = run_comparison(replace(plan, minutes=1e-9, seeds=(0, 1)), str(tmp_path), [], tmp_path / "study", trainer)
    assert late["cells"] == result["cells"] and trainer.runs == []
    assert late["missing"][0] == f"one: {MODELS[0]}, seed 1" and len(late["missing"]) == 4
    scored = run_comparison(replace(plan, seeds=(1, 0)), str(tmp_path), [], tmp_path / "study", trainer, train=False)
    assert scored["cells"] == result["cells"] and len(scored["missing"]) == 4 and trainer.runs == []
    assert comparison_markdown(late).endswith(f"Not done yet: {'; '.join(late['missing'])}.")


def test_an_earlier_result_is_continued_where_its_folders_are_gone(done, plan, tmp_path):
    result, _ = done
    earlier = result | {"cells": [cell for cell in result["cells"] if cell["set"] == "one"]}
    trainer = Trainer()
    again = run_comparison(plan, str(tmp_path), [], tmp_path / "new", trainer, earlier=earlier)
    rates = {cell["model"].split(",")[0]: cell["learning_rate"] for cell in earlier["cells"]}
    assert trainer.runs == [("two", name, rate) for name, rate in rates.items()]
    assert again["cells"][:2] == earlier["cells"] and again["timing"] == earlier["timing"]
    assert [cell["mean_iou"] for cell in again["cells"]] == [cell["mean_iou"] for cell in result["cells"]]
    left = run_comparison(plan, str(tmp_path), [], tmp_path / "other", trainer, train=False, earlier=earlier)
    assert len(left["cells"]) == 2 and len(left["missing"]) == 2
    with pytest.raises(ConfigError, match=r"has rates \[0.5\], this study has \[0.001, 0.01\]; only a result of the"):
        run_comparison(plan, str(tmp_path), [], tmp_path / "new", trainer, earlier=earlier | {"rates": [0.5]})
    other = {**earlier, "cells": [earlier["cells"][0] | {"epochs": 9}]}
    with pytest.raises(
        ConfigError, match=rf"one: {MODELS[0]}, seed 0: the earlier result has epochs 9, this study has 1"
    ):
        run_comparison(plan, str(tmp_path), [], tmp_path / "new", trainer, earlier=other)


def test_a_wider_search_goes_on_from_a_narrower_one(done, plan, tmp_path, monkeypatch):
    """Cells whose rate stays the best are taken over, those of the others are trained anew."""
    result, _ = done
    stays, moves = MODELS
    scores = {stays: 0.1, moves: 0.99}  # of the new rate, on the validation images
    real = RunFolder.read_log

    def read_log(folder):
        model = next(model for model in MODELS if folder_name(model) in folder.path.name)
        return [
            row | ({"val_foreground_iou": scores[model]} if "0.1" in folder.path.name else {}) for row in real(folder)
        ]

    monkeypatch.setattr(RunFolder, "read_log", read_log)
    known = {cell["model"]: cell["learning_rate"] for cell in result["cells"]}
    earlier = copy.deepcopy(result)
    for cell in earlier["cells"]:
        cell["validation_by_rate"] = {f"{rate:g}": 0.5 if rate == known[cell["model"]] else 0.4 for rate in plan.rates}
    wider, trainer = replace(plan, rates=(*plan.rates, 0.1)), Trainer()
    left = run_comparison(wider, str(tmp_path), [], tmp_path / "new", trainer, train=False, earlier=earlier)
    assert len(left["missing"]) == 4 and not trainer.runs
    again = run_comparison(wider, str(tmp_path), [], tmp_path / "new", trainer, earlier=earlier)
    name = moves.split(",")[0]
    assert trainer.runs == [("one", stays.split(",")[0], 0.1), ("one", name, 0.1), ("two", name, 0.1)]
    by_cell = {(cell["set"], cell["model"]): cell for cell in again["cells"]}
    for one in ("one", "two"):
        before = next(cell for cell in earlier["cells"] if (cell["set"], cell["model"]) == (one, stays))
        tried = before["validation_by_rate"] | {"0.1": 0.1}
        assert by_cell[one, stays] == before | {"validation_by_rate": tried}
        assert by_cell[one, moves]["learning_rate"] == 0.1
    assert again["rates"] == [1e-3, 1e-2, 0.1] and not again["missing"]


def test_a_network_whose_known_rate_is_another_now_is_trained_anew(done, plan, tmp_path):
    earlier, trainer = done[0], Trainer()
    rate, name = 0.05, MODELS[0].split(",")[0]
    changed = replace(plan, known_rates={MODELS[0]: rate})
    again = run_comparison(changed, str(tmp_path), [], tmp_path / "new", trainer, earlier=earlier)
    assert trainer.runs == [("one", name, rate), ("two", name, rate)]
    assert [cell for cell in again["cells"] if cell["model"] == MODELS[1]] == [
        cell for cell in earlier["cells"] if cell["model"] == MODELS[1]
    ]
    assert {cell["learning_rate"] for cell in again["cells"] if cell["model"] == MODELS[0]} == {rate}
    two = next(cell for cell in earlier["cells"] if (cell["set"], cell["model"]) == ("two", MODELS[0]))
    failed = [{"cell": f"two: {MODELS[0]}, seed 0", "reason": "the loss became nan"}]
    before = earlier | {"cells": [cell for cell in earlier["cells"] if cell is not two], "failed": failed}
    assert not run_comparison(changed, str(tmp_path), [], tmp_path / "new", trainer, earlier=before)["failed"]


def test_training_alone_takes_the_rates_and_cells_of_an_earlier_result(done, plan, tmp_path):
    earlier, _ = done
    kept = earlier | {"cells": [cell for cell in earlier["cells"] if cell["set"] == "one"]}
    trainer = Trainer()
    assert train_comparison(plan, str(tmp_path), [], tmp_path / "new", trainer, earlier=kept) == []
    assert trainer.runs == [("two", cell["model"].split(",")[0], cell["learning_rate"]) for cell in kept["cells"]]
    with pytest.raises(ConfigError, match=r"has rates \[0.5\], this study has \[0.001, 0.01\]"):
        train_comparison(plan, str(tmp_path), [], tmp_path / "new", trainer, earlier=earlier | {"rates": [0.5]})


def test_what_failed_in_an_earlier_result_is_not_trained_again(done, plan, tmp_path):
    earlier, trainer = done[0], Trainer()
    *kept, last = earlier["cells"]
    failed = [{"cell": f"{last['set']}: {last['model']}, seed {last['seed']}", "reason": "the loss became nan"}]
    before = earlier | {"cells": kept, "failed": failed}
    again = run_comparison(plan, str(tmp_path), [], tmp_path / "new", trainer, earlier=before)
    assert (again["cells"], again["failed"], again["missing"], trainer.runs) == (kept, failed, [], [])
    without_sets = str(tmp_path / "nowhere")
    assert train_comparison(plan, without_sets, [], tmp_path / "new", trainer, earlier=before) == [failed[0]["cell"]]


def test_a_cell_that_ended_early_is_done(plan, tmp_path):
    out, trainer = tmp_path / "study", Trainer()
    early = replace(plan, sets=plan.sets[:1], models=MODELS[1:], rates=(1e-12, 2e-12))  # so that nothing gets better
    changes = ["train.epochs=9", "train.patience=1"]
    assert train_comparison(early, str(tmp_path), changes, out, trainer) == []
    logs = [len(path.read_text().splitlines()) - 1 for path in out.glob("*/*/log.csv")]
    assert len(logs) == 2 and max(logs) < 9
    left = run_comparison(early, str(tmp_path), changes, out, trainer, train=False)
    assert not left["missing"] and len(left["cells"]) == 1 and len(trainer.runs) == 2


def test_networks_that_an_earlier_result_lacks_are_timed_with_all_others_or_named(done, tmp_path, monkeypatch):
    result, _ = done
    cells, said, timed = result["cells"], [], []

    def time_all(cells, of_set, out, say):
        timed.append([cell["model"] for cell in cells if cell["set"] == of_set])
        return result["timing"]

    monkeypatch.setattr("onenet.study.timing.timed", time_all)
    rows = [row for row in result["timing"]["rows"] if row["model"] == MODELS[0]]
    earlier = {"timing": result["timing"] | {"rows": rows}}
    out = tmp_path / "study"
    assert timing_of(cells, "one", out, said.append, {"timing": result["timing"]}) == {"timing": result["timing"]}
    assert not timed  # nothing is new
    assert timing_of(cells, "one", out, said.append, earlier) == {"timing": result["timing"]}
    assert timed == [list(MODELS)] and not said
    next(out.glob("one/onenet-ed*/model.int8.onnx")).unlink()
    no_form = [one if one["model"] == MODELS[0] else one | {"files": {"failed": "no form"}} for one in cells]
    assert timing_of(no_form, "one", out, print, earlier)["untimed"] == [MODELS[1]] and len(timed) == 1
    left = timing_of(cells, "one", out, said.append, earlier)
    assert left == {**earlier, "untimed": [MODELS[1]]} and len(timed) == 1
    assert said == [f"not timed: {MODELS[1]}; all are timed together, which needs the files of all in {out / 'one'}"]
    assert f"Not timed beside the others: {MODELS[1]}." in comparison_markdown(result | left).splitlines()
    kept = next(cell for cell in cells if (cell["set"], cell["model"]) == ("two", MODELS[0]))
    of_another_seed = kept | {"set": "one", "seed": 1}  # its files are there
    assert timing_of([*cells, of_another_seed], "one", out, said.append, earlier) == {"timing": result["timing"]}
    assert len(timed) == 2


def test_a_rate_at_which_a_network_diverges_is_left_out_and_a_network_without_any_has_failed(plan, tmp_path):
    class Diverges(Trainer):
        def __call__(self, run):
            super().__call__(run)
            name = run.config.model["name"]
            if name == "onenet-ed-4" or run.config.train.learning_rate == 1e-3:
                raise TrainError("the loss became nan")

    trainer = Diverges()
    result = run_comparison(plan, str(tmp_path), [], tmp_path / "study", trainer)
    assert [(cell["set"], cell["model"], cell["learning_rate"]) for cell in result["cells"]] == [
        ("one", MODELS[1], 1e-2), ("two", MODELS[1], 1e-2)
    ]  # fmt: skip
    assert [one["cell"] for one in result["failed"]] == [f"{name}: {MODELS[0]}, seed 0" for name in ("one", "two")]
    assert "diverges at every rate: 0.001, 0.01" in result["failed"][0]["reason"]
    assert "onenet-ed-4,width=4,depth=2, seed 0 failed: " in comparison_markdown(result)
    count = len(trainer.runs)
    run_comparison(plan, str(tmp_path), [], tmp_path / "study", trainer)
    assert len(trainer.runs) == count  # it is known, and not tried again


@pytest.mark.slow  # with real files, for which the images of the present place are read
def test_what_was_trained_on_another_machine_is_scored_where_the_data_is_now(plan, tmp_path):
    out, there = tmp_path / "study", tmp_path / "there"
    there.mkdir()
    (tmp_path / "photos").rename(there / "photos")
    one = replace(plan, sets=plan.sets[:1], models=MODELS[1:])
    assert train_comparison(one, str(there), [], out, Trainer()) == []
    for path in out.glob("*/*/last.ckpt"):
        path.unlink()  # large, and not brought along
    (there / "photos").rename(tmp_path / "photos")
    (cell,) = run_comparison(one, str(tmp_path), [], out, Trainer(), train=False)["cells"]
    assert cell["trained_on"]["torch"] and 0 <= cell["mean_iou"] <= 1


def test_trials_of_a_learning_rate_may_be_short_and_on_any_set(plan, tmp_path):
    trainer = Trainer()
    trial = replace(plan, tuning_set="two", tuning_epochs=2)
    assert train_comparison(trial, str(tmp_path), ["train.epochs=3"], tmp_path / "study", trainer) == []
    assert [run[0] for run in trainer.runs] == ["two", "two", "one"] * 2 + ["two"] * 2
    for path in (tmp_path / "study").glob("*/*/log.csv"):
        epochs = len(path.read_text().splitlines()) - 1
        assert epochs == (2 if path.parent.name.endswith("-trial2") else 3), path


def test_processes_share_the_cells_and_leave_alone_what_another_one_works_on(plan, tmp_path, monkeypatch):
    out, trainer = tmp_path / "study", Trainer()
    others = out / "one" / "onenet-ed-4-width4-depth2-rate0.001-seed0"
    waited = []

    def sleep(seconds):  # the other process ends meanwhile
        waited.append(len(trainer.runs))
        held.close()

    monkeypatch.setattr("onenet.study.comparison.time.sleep", sleep)
    held = ExitStack()
    held.enter_context(claim(others))
    with pytest.raises(TakenError, match="another process works on it"), claim(others):
        pass
    assert train_comparison(plan, str(tmp_path), [], out, trainer) == []
    first = [run for run in trainer.runs if run[1] == "onenet-ed-4"]
    assert [run[2] for run in first if run[0] == "one"] == [1e-2, 1e-3]
    assert waited == [len(trainer.runs) - 2]  # all that was free was done before it waited: but one rate and a cell
    assert not list(out.glob("*/*/cell.json"))


def test_a_folder_that_cannot_be_written_is_one_line(plan, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OneNetError, match=r"cannot be written .*; choose another --out"):
        train_comparison(plan, str(tmp_path), [], tmp_path / "file", Trainer())
