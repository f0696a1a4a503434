"""The streamed simulation: laws that hold for any run, and equality with the model of a GPU where that is exact."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.engines.simulated.gpu import Gpu, Rates, Sequence
from tts.engines.simulated.prefix_cache import PrefixCache
from tts.planning.fleet import Fleet
from tts.planning.load import Load, Part
from tts.planning.pool import Pool
from tts.planning.stream import Stream

RATES = {"policy": Rates(6_000_000, 50_000, 30_000, 16), "verifier": Rates(9_000_000, 80_000, 20_000, 8)}


def run(loads: list[Load], replicas: dict[str, int], in_flight: int) -> tuple[float, dict[str, float], int]:
    """Returns the time, by role the share of it that is work, and how many problems ended."""
    pools = {role: Pool(RATES[role], number) for role, number in replicas.items()}
    stream = Stream(iter(loads), pools, in_flight)
    ended = list(stream.run())
    assert ended == list(range(1, len(ended) + 1))
    used = {role: pool.work / replicas[role] / stream.now for role, pool in pools.items()}
    return stream.now, used, len(ended)


def fleet(loads: list[Load], in_flight: int | None = None) -> Fleet:
    return Fleet(RATES, {"policy": 1, "verifier": 1}, loads, 4, {"problems": in_flight})


parts = st.builds(
    Part, st.floats(0.1, 40), st.floats(1, 300), st.sampled_from([0.0, 10.0, 500.0])
)  # more sequences than a replica has slots, and fractions
segments = st.dictionaries(st.sampled_from(["policy", "verifier"]), parts, min_size=1)
runs = st.lists(st.lists(segments, min_size=1, max_size=4), min_size=1, max_size=30)
sizes = st.fixed_dictionaries({"policy": st.integers(1, 5), "verifier": st.integers(1, 5)})


@given(runs, sizes, st.integers(1, 40))
def test_every_problem_ends_and_no_replica_does_more_than_a_full_batch(
    loads: list[Load], replicas: dict[str, int], in_flight: int
) -> None:
    seconds, used, ended = run(loads, replicas, in_flight)
    assert ended == len(loads)
    assert all(share <= 1 + 1e-9 for share in used.values())
    bounds = fleet(loads, in_flight).bounds(replicas, len(loads))
    assert seconds >= max(bounds.values()) * (1 - 1e-9)


@given(st.lists(segments, min_size=1, max_size=4), st.integers(20, 60), sizes, st.sampled_from(["policy", "verifier"]))
def test_more_replicas_are_not_slower(load: Load, problems: int, replicas: dict[str, int], role: str) -> None:
    loads = [load] * problems
    more = {**replicas, role: 2 * replicas[role]}
    # By list scheduling's anomalies at most: the work of a few problems in another order.
    assert run(loads, more, problems)[0] <= run(loads, replicas, problems)[0] * 1.05


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 50), st.integers(0, 300)), min_size=1, max_size=20))
def test_on_one_replica_it_is_the_model_of_a_gpu(asked: list[tuple[int, int, int]]) -> None:
    rates = RATES["policy"]
    gpu = Gpu(rates, PrefixCache(0, 16))
    for sequences, tokens, prompt in asked:
        for _ in range(sequences):
            gpu.submit(0, Sequence(prompt, tokens))
    ended = []
    while gpu.next_change is not None:
        ended += gpu.advance(gpu.next_change)
    pool = Pool(rates, 1)
    loads: list[Load] = [[{"policy": Part(n, tokens, n * prompt)}] for n, tokens, prompt in asked]
    stream = Stream(iter(loads), {"policy": pool}, len(loads))
    assert sum(1 for _ in stream.run()) == len(asked)
    assert stream.now == pytest.approx(max(sequence.ended or 0 for sequence in ended))
    tokens = sum(sequences * tokens for sequences, tokens, _ in asked)
    assert pool.work == pytest.approx(rates.work(tokens, gpu.stats.prompt_tokens))


def test_earlier_problems_go_first_and_later_ones_wait_for_a_place() -> None:
    begun: list[int] = []

    def problems() -> list[Load]:
        for number in range(100):
            begun.append(number)
            yield [{"policy": Part(16.0, 10.0, 0.0)}]

    stream = Stream(problems(), {"policy": Pool(RATES["policy"], 1)}, 3)
    for done in stream.run():
        # A problem is drawn only when it begins: there is never a list of them.
        assert len(begun) <= done + 3
    assert stream.now == pytest.approx(100 * 10 * RATES["policy"].tick(16))


def test_a_limit_of_samples_in_flight_leaves_slots_empty() -> None:
    loads: list[Load] = [[{"policy": Part(4.0, 10.0, 0.0)}]] * 8
    stream = Stream(iter(loads), {"policy": Pool(RATES["policy"], 1, limit=4)}, 8)
    assert sum(1 for _ in stream.run()) == 8
    assert stream.now == pytest.approx(8 * 10 * RATES["policy"].tick(4))


def test_gpus_are_divided_as_the_work_is() -> None:
    load: Load = [{"policy": Part(4.0, 100.0, 0.0)}, {"verifier": Part(4.0, 100.0, 0.0)}]
    work = {role: rates.work(400, 0) for role, rates in RATES.items()}
    divided = fleet([load])
    divisions = divided.divisions(100)
    assert all(divided.size(division) == 100 for division in divisions)
    best = divisions[divided.balanced(divisions)]
    assert best["policy"] / 100 == pytest.approx(work["policy"] / sum(work.values()), abs=0.01)
    assert len(divided.around(100, 1000)) == 5
    assert len(divided.around(100, 10**6)) == 3
    assert best in divided.around(100, 10**6)


def test_replicas_of_several_gpus_leave_none_over_that_would_do() -> None:
    load: Load = [{"policy": Part(4.0, 100.0, 0.0)}, {"verifier": Part(4.0, 100.0, 0.0)}]
    divided = Fleet(RATES, {"policy": 2, "verifier": 3}, [load], 4, {})
    for gpus in range(5, 30):
        for division in divided.divisions(gpus):
            assert gpus - 3 < divided.size(division) <= gpus
    assert divided.divisions(4) == []
    assert math.isinf(Pool(RATES["policy"], 1).next_end)
