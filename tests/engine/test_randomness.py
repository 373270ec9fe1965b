"""Random bits that were drawn ahead are given out once, in one process."""

import os

from flowc.runtime.engine.randomness import DRAWN_BYTES, PooledRandom, random_bytes


def test_bytes_are_as_many_as_asked_for_and_never_the_same() -> None:
    drawn = [random_bytes(8) for _ in range(DRAWN_BYTES // 4)]
    assert {len(each) for each in drawn} == {8}
    assert len(set(drawn)) == len(drawn)
    assert len(random_bytes(DRAWN_BYTES + 1)) == DRAWN_BYTES + 1


def test_numbers_fill_their_range() -> None:
    rng = PooledRandom()
    seeds = [rng.getrandbits(63) for _ in range(1000)]
    assert max(seeds).bit_length() == 63
    assert {seed & 1 for seed in seeds} == {0, 1}
    shares = [rng.random() for _ in range(1000)]
    assert 0 <= min(shares) < 0.1
    assert 0.9 < max(shares) < 1


def test_a_fork_draws_its_own() -> None:
    random_bytes(1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, random_bytes(16))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    assert os.read(reading, 16) != random_bytes(16)
    os.close(reading)
