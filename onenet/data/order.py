"""Which images make a batch, and the chance of each sample, drawn from (seed, epoch, draw) alone."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from onenet.errors import ConfigError

Key = tuple[int, int]  # (epoch, draw: of n items that of index draw % n)

_ORDER, _SAMPLE = 0, 1  # the random streams of a run: neither may begin like the other


class EpochBatches:
    """The batches of one epoch, in an order drawn from (seed, epoch); set `epoch` before each pass.

    An epoch takes each of `count` items once, or `samples` in all: some of many items, few items again and again.

    A batch is shared by `world` processes: that of `rank` gets every world-th image of it. All get equally many: what
    is left of the last batch after the division is left out, and so is all of it where one image each remains and
    there are other batches, for batch norm may have nothing to average over.

    Args:
        foreground: indices of which a `share` of all places is drawn instead: an index of the count's second round
            (count + i), third round and so on is the item i once more, varied otherwise.

    Raises:
        ConfigError: `batch` cannot be divided, or there are fewer images than processes.
    """

    def __init__(
        self,
        count: int,
        batch: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        samples: int = 0,
        foreground: Sequence[int] = (),
        share: float = 0.0,
    ) -> None:
        if batch % world:
            raise ConfigError(f"train.batch={batch} cannot be shared evenly by {world} devices; "
                              f"use {max(world, batch // world * world)}, or another multiple")  # fmt: skip
        self.samples = samples or count
        if self.samples < world:
            raise ConfigError(f"{self.samples} training image(s) cannot be shared by {world} devices; "
                              "use fewer of them")  # fmt: skip
        self.count, self.batch, self.seed, self.rank, self.world = count, batch, seed, rank, world
        self.foreground, self.share = np.asarray(foreground, dtype=np.int64), share
        self.epoch = 0

    def __len__(self) -> int:
        whole, rest = divmod(self.samples, self.batch)
        return max(1, whole + (rest // self.world > 1))

    def __iter__(self) -> Iterator[list[Key]]:
        generator = np.random.default_rng([_ORDER, self.seed, self.epoch])
        rounds = range(-(-self.samples // self.count))
        order = np.concatenate([generator.permutation(self.count) for _ in rounds])[: self.samples]
        if self.share and len(self.foreground):
            chosen = np.flatnonzero(generator.random(self.samples) < self.share)
            order[chosen] = generator.choice(self.foreground, len(chosen))
        order += self.count * _earlier(order)
        for step in range(len(self)):
            chosen = order[step * self.batch : (step + 1) * self.batch]
            even = len(chosen) // self.world * self.world
            yield [(self.epoch, int(draw)) for draw in chosen[self.rank : even : self.world]]


def sample_generator(seed: int, epoch: int, draw: int) -> np.random.Generator:
    """All chance of one sample of one epoch."""
    return np.random.default_rng([_SAMPLE, seed, epoch, draw])


def _earlier(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each place how often its index stands before it."""
    seen: dict[int, int] = {}
    times = np.zeros_like(order)
    for place, index in enumerate(order.tolist()):
        times[place] = seen.get(index, 0)
        seen[index] = int(times[place]) + 1
    return times
