"""A model and a set of images or volumes with masks -> scores, notes on them, and a page."""

from onenet.scoring.evaluation import Evaluation, evaluate, fingerprint, write_report
from onenet.scoring.opening import config_of_run, open_data, open_for, open_spec

__all__ = [
    "Evaluation", "config_of_run", "evaluate", "fingerprint", "open_data", "open_for", "open_spec", "write_report",
]  # fmt: skip
