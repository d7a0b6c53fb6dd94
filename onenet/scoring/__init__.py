"""A model and a set of images or volumes with masks -> scores, notes on them, and a page."""

from onenet.scoring.evaluation import Evaluation, evaluate, fingerprint, write_report
from onenet.scoring.opening import open_for, open_spec

__all__ = ["Evaluation", "evaluate", "fingerprint", "open_for", "open_spec", "write_report"]
