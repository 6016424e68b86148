"""Two measurements in turn, compared by their medians; the benchmarks of starting processes use it."""

import statistics
from collections.abc import Callable


def compare(
    name: str, base: tuple[str, Callable[[], float]], ours: tuple[str, Callable[[], float]], runs: int, goal: float
) -> int:
    """Measure both in turn, print their medians and the ratio, and return the exit code.

    Args:
        name: Name of the benchmark.
        base: Label of the denominator, and function that returns its seconds.
        ours: Label of the numerator, and function that returns its seconds.
        runs: Number of pairs, after one that fills the caches and is not counted.
        goal: Maximum ratio.
    """
    base[1]()
    ours[1]()
    pairs = [(base[1](), ours[1]()) for _ in range(runs)]
    denominator, numerator = map(statistics.median, zip(*pairs, strict=True))
    print(f"{base[0]} {denominator:.3f} s, {ours[0]} {numerator:.3f} s, medians of {runs}")
    ratio = numerator / denominator
    print(f"{name}: ratio {ratio:.2f} (goal {goal})")
    return 0 if ratio <= goal else 1
