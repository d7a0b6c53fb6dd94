"""Networks are traced without the shapes that tests check: what is traced has none yet."""

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping


@contextmanager
def untyped() -> Iterator[None]:
    """Annotated shapes are not checked meanwhile."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)
