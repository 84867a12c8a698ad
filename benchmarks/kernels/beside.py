"""Calls in processes of their own, which take turns.

Contenders in one process disturb each other: threads of one are still awake when it is another's
turn, and memory that one gives back late is paid for by the next. So each is made, run and timed
in a process where there is nothing else, and only one of them is told to run at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

import numpy as np
import torch
from torch import Tensor

from resolvent.bench.measure import CLOSE, agree, medians_of_turns, turn
from resolvent.kernels import using
from resolvent.kernels.backend import current

Make = Callable[[], Callable[[], object]]
"""Makes a call without arguments, whose results are arrays; a function of a module, or a part of
one: it is sent to another process, which sees the same random numbers as all others."""


class Contender:
    """A call in a process of its own.

    Attributes:
        results: what the first call gave.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.results: list[Tensor] = [torch.from_numpy(x) for x in pipe.recv()]

    def turn(self) -> float:
        """Median milliseconds of the calls of a turn, at least one."""
        self._pipe.send(True)
        return self._pipe.recv()


@contextmanager
def contenders(makes: list[Make]) -> Iterator[list[Contender]]:
    """Contenders that wait for their turns; their processes end with the context.

    They have this process's threads and kernels. A process that fails says why on the standard
    error, and the next word to it raises an EOFError.
    """
    context = get_context("spawn")
    with ExitStack() as stack:
        pipes = []
        for make in makes:
            ours, theirs = context.Pipe()
            settings = (torch.get_num_threads(), current().name)
            process = context.Process(target=_serve, args=(theirs, make, *settings))
            process.start()
            theirs.close()  # theirs alone, so that its end is seen here
            stack.callback(process.join)
            pipes.append(stack.enter_context(ours))
        yield [Contender(pipe) for pipe in pipes]


def race(makes: list[Make], expected: list[Tensor], kind: str, runs: int) -> list[float]:
    """Medians of contenders in milliseconds, once their results were compared.

    The first is held to all that is expected; the others, which may take other parameters, to their
    outputs.

    Raises:
        ArithmeticError: a result differs.
    """
    with contenders(makes) as found:
        for contender in found if kind == "forward" else found[:1]:
            for result, right in zip(contender.results, expected, strict=True):
                agree(result, right, CLOSE if kind == "forward" else 10 * CLOSE)
        return medians_of_turns([x.turn for x in found], runs)


def _serve(pipe: Connection, make: Make, threads: int, backend: str) -> None:
    """What a process does: make the call, say what it gives, and take turns until none is left."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    with using(backend):
        call = make()
        found = call()
        pipe.send([np.asarray(x) for x in (found if isinstance(found, tuple) else (found,))])
        while True:
            try:
                pipe.recv()
            except EOFError:
                return
            pipe.send(turn(call))
