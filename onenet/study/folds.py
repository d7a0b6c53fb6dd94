"""Cross-validation of volumes: a network per fold, each scored on the cases that it was not trained on.

The cases that the test leaves are cut into folds (`data.folds`). What is reported is of all of them, every case
scored once. The best weights of a fold are chosen on the same cases, and so, with those of the other folds, are the
axis, the spacing and the grey values of "auto"; the scores are a little too good by that. Those of the test, which no
fold has seen, are not: there the networks of all folds are scored together.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from onenet.config import VOLUMES, load_config
from onenet.errors import ConfigError, OneNetError
from onenet.metrics.cases import CaseReport
from onenet.scoring import evaluate
from onenet.study.plan import Plan
from onenet.study.settings import refuse_other
from onenet.training.folder import RunFolder, environment
from onenet.training.run import Run


def run_folds(
    plan: Plan, out: Path, overrides: Sequence[str], on_cell: Callable[[Run], None]
) -> tuple[dict[str, Any], CaseReport, CaseReport | None]:
    """Train what is left of every fold, score its validation cases, and all networks together on the test.

    Returns the result, ready for JSON, the report of all cases, and that of the test, where there is one.

    Args:
        plan: with `folds`.
        out: holds a run's folder per fold.
        overrides: laid over the plan's own, for example where the data is.
        on_cell: trains a run that is ready, or what is left of it.

    Raises:
        ConfigError: the data are images, `data.fold` is given, or `out` holds other runs.
    """
    if any(change.startswith("data.fold=") for change in overrides):
        raise ConfigError("data.fold: a study of folds trains them all; leave it out")
    words = [f"model.name={plan.models[0]}", f"train.seed={plan.seeds[0]}", f"data.folds={plan.folds}"]
    words = [*plan.overrides, *words, *overrides]
    config = load_config(plan.recipe, words)
    if config.data.format not in VOLUMES:
        raise ConfigError(
            f"data.format={config.data.format}: folds are studied of volumes; use one of {', '.join(VOLUMES)}, with "
            "data.root=PATH"
        )
    count, reports, has_test = config.data.folds, [], False
    if count < 2 or config.data.train_with_val:
        wrong = f"folds={count}" if count < 2 else "train_with_val=true"
        raise ConfigError(f"data.{wrong}: each of at least 2 folds is scored by a network that has not seen it; leave "
                          "it out")  # fmt: skip
    for fold in range(count):
        config = load_config(plan.recipe, [*words, f"data.fold={fold}"])
        folder = RunFolder(out / f"fold-{fold}")
        refuse_other(folder, config, "fold")
        run = Run(config, folder, resume=(folder.path / "config.toml").is_file())
        on_cell(run)
        has_test = bool(run.dataset.items["test"])
        report = evaluate(folder.model, config.data, plan.split).cases
        assert report is not None
        reports.append(report)
    first = reports[0]
    cases = tuple(case for report in reports for case in report.cases)
    whole = CaseReport(
        first.data, f"validation of {count} folds", first.classes, first.background, first.tolerance, cases
    )
    together, reason = None, "there is no test"
    if has_test:
        try:
            together = evaluate(out, config.data).cases
        except OneNetError as error:  # what was trained and scored is not to be lost for it
            reason = str(error)
    found = {
        "study": plan.name,
        "recipe": plan.recipe,
        "model": config.model,
        "folds": [{"cases": len(report.cases), "dice": round(report.mean("dice"), 6)} for report in reports],
        "environment": environment(),
        **whole.to_dict(),
        "together": together.to_dict() if together else {"failed": reason},
    }
    return found, whole, together
