"""The model of a GPU and of several."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tests.engines.simulated.reference import TickingGpu
from tts.engines.simulated.cluster import Cluster
from tts.engines.simulated.gpu import Gpu, Rates, Sequence
from tts.engines.simulated.prefix_cache import PrefixCache, block_keys

BLOCK = 4
END = 1 << 60


@dataclass(frozen=True)
class Job:
    """A sequence that arrives so long after the one before and may be cancelled so long after that."""

    pause: int
    prompt: str
    tokens: int
    patience: int | None = None
    # Whether the GPU is asked to go on up to that instant before it hears of the job.
    prompted: bool = False

    def sequence(self) -> Sequence:
        keys = block_keys(self.prompt, BLOCK)
        # What it writes only matters to the cache.
        text = self.prompt + "abab" * (self.tokens // 3)
        return Sequence(len(self.prompt), self.tokens, keys, block_keys(text, BLOCK, keys))


jobs = st.builds(
    Job,
    pause=st.integers(0, 60) | st.just(0),
    prompt=st.text("ab", max_size=24),
    tokens=st.integers(1, 12),
    patience=st.none() | st.integers(0, 120),
    prompted=st.booleans(),
)
workloads = st.lists(jobs, min_size=1, max_size=24)
rates = st.builds(
    Rates,
    tick_base=st.integers(1, 12),
    tick_per_sequence=st.integers(0, 3),
    prefill=st.integers(0, 3),
    max_sequences=st.integers(1, 5),
)
caches = st.sampled_from([0, 8, 40, 10_000])


def run(gpu: Gpu | TickingGpu, workload: list[Job]) -> list[tuple[int, Sequence]]:
    """Carries a workload out; returns when each sequence arrived, and the sequence."""
    arrived = []
    events = []
    now = 0
    for number, job in enumerate(workload):
        now += job.pause
        sequence = job.sequence()
        arrived.append((now, sequence))
        events.append((now, number, job.prompted, sequence, False))
        if job.patience is not None:
            events.append((now + job.patience, number, job.prompted, sequence, True))
    for at, _, prompted, sequence, cancels in sorted(events, key=lambda event: event[:2]):
        if prompted:
            gpu.advance(at)
        (gpu.cancel if cancels else gpu.submit)(at, sequence)
    gpu.advance(END)
    return arrived


def fate(sequence: Sequence) -> tuple[object, ...]:
    return sequence.admitted, sequence.ended, sequence.cancelled, sequence.generated


@given(rates, caches, workloads)
def test_skipping_ends_where_ticking_ends(rates: Rates, cache: int, workload: list[Job]) -> None:
    skipping, ticking = Gpu(rates, PrefixCache(cache, BLOCK)), TickingGpu(rates, PrefixCache(cache, BLOCK))
    fates = [[fate(sequence) for _, sequence in run(gpu, workload)] for gpu in (skipping, ticking)]
    assert fates[0] == fates[1]
    stats = skipping.stats
    assert (stats.busy, stats.ticks, stats.tokens) == (ticking.busy, ticking.ticks, ticking.tokens)
    assert stats.finished + stats.cancelled == len(workload)
    assert skipping.load == 0
    assert skipping.next_change is None


@given(rates, caches, workloads)
def test_what_is_spent_is_accounted_for(rates: Rates, cache: int, workload: list[Job]) -> None:
    gpu = Gpu(rates, PrefixCache(cache, BLOCK))
    arrived = run(gpu, workload)
    assert sum(sequence.generated for _, sequence in arrived) == gpu.stats.tokens
    most = rates.max_sequences
    # No more tokens a second than a full batch gives.
    assert gpu.stats.tokens * (rates.tick_base + rates.tick_per_sequence * most) <= most * gpu.stats.busy
    prefill = rates.prefill * (gpu.stats.prompt_tokens - gpu.stats.cached_prompt_tokens)
    assert gpu.stats.busy == (prefill + rates.tick_base * gpu.stats.ticks + rates.tick_per_sequence * gpu.stats.tokens)


@given(rates, workloads)
def test_nobody_is_faster_than_alone_and_nobody_overtakes(rates: Rates, workload: list[Job]) -> None:
    arrived = run(Gpu(rates, PrefixCache(0, BLOCK)), workload)
    alone = rates.tick_base + rates.tick_per_sequence
    for at, sequence in arrived:
        if sequence.ended is not None:
            assert sequence.ended >= at + rates.prefill * sequence.prompt_tokens + alone * sequence.tokens
    admitted = [sequence.admitted for _, sequence in arrived if sequence.admitted is not None]
    assert admitted == sorted(admitted)
    # Who gave up waiting never ran.
    assert all(sequence.generated <= sequence.tokens for _, sequence in arrived)
    assert all(sequence.generated == 0 for _, sequence in arrived if sequence.admitted is None)


@given(rates, caches, workloads)
def test_a_cache_makes_nobody_of_a_crowd_slower(rates: Rates, cache: int, workload: list[Job]) -> None:
    crowd = [Job(0, job.prompt, job.tokens) for job in workload]
    plain = run(Gpu(rates, PrefixCache(0, BLOCK)), crowd)
    cached = run(Gpu(rates, PrefixCache(cache, BLOCK)), crowd)
    for (_, slow), (_, fast) in zip(plain, cached, strict=True):
        assert fast.ended is not None
        assert slow.ended is not None
        assert fast.ended <= slow.ended


def test_a_cancelled_sequence_frees_its_slot_with_the_tick() -> None:
    gpu = Gpu(Rates(10, 0, 0, 1), PrefixCache(0, BLOCK))
    first, second = Sequence(0, 1000), Sequence(0, 2)
    gpu.submit(0, first)
    gpu.submit(0, second)
    gpu.advance(0)
    gpu.cancel(34, first)
    gpu.advance(END)
    assert (first.generated, first.ended) == (4, None)
    assert second.ended == 40 + 2 * 10


def test_samples_of_one_prompt_share_its_prefill() -> None:
    gpu = Gpu(Rates(10, 0, 1, 8), PrefixCache(1000, BLOCK))
    sequences = [Job(0, "abab" * 5 + "a", 1).sequence() for _ in range(8)]
    for sequence in sequences:
        gpu.submit(0, sequence)
    gpu.advance(END)
    # The block that is not full is computed by each.
    assert gpu.stats.prompt_tokens - gpu.stats.cached_prompt_tokens == 20 + 8
    assert {sequence.ended for sequence in sequences} == {28 + 10}


@given(st.lists(st.tuples(st.booleans(), st.text("ab", max_size=20)), max_size=40), st.integers(0, 30))
def test_the_cache_holds_the_blocks_used_last(uses: list[tuple[bool, str]], tokens: int) -> None:
    cache = PrefixCache(tokens, 2)
    held: list[str] = []
    for stores, text in uses:
        beginnings = [text[:end] for end in range(2, len(text) + 1, 2)]
        expected = next((i for i, beginning in enumerate(beginnings) if beginning not in held), len(beginnings))
        keys = block_keys(text, 2)
        assert cache.match(keys) == 2 * expected
        if stores:
            cache.store(keys)
            held = [old for old in held if old not in beginnings] + beginnings[::-1]
            held = held[max(0, len(held) - tokens // 2) :]


@given(st.text("ab", max_size=40), st.integers(0, 40), st.integers(1, 6))
def test_keys_of_a_text_begin_with_those_of_its_beginnings(text: str, cut: int, characters: int) -> None:
    keys = block_keys(text, characters)
    beginning = block_keys(text[:cut], characters)
    assert keys[: len(beginning)] == beginning
    assert block_keys(text, characters, beginning) == keys


@given(rates, workloads)
def test_one_replica_is_one_gpu(rates: Rates, workload: list[Job]) -> None:
    gpu, cluster = Gpu(rates, PrefixCache(40, BLOCK)), Cluster(1, rates, 40, BLOCK, affinity=0)
    alone, dispatched = run(gpu, workload), run(cluster, workload)  # type: ignore[arg-type]
    assert [fate(sequence) for _, sequence in dispatched] == [fate(sequence) for _, sequence in alone]
    assert cluster.stats() == gpu.stats


@given(rates, workloads, st.integers(1, 6), st.integers(0, 4))
def test_all_work_of_a_cluster_is_done(rates: Rates, workload: list[Job], replicas: int, affinity: int) -> None:
    cluster = Cluster(replicas, rates, 40, BLOCK, affinity)
    arrived = run(cluster, workload)  # type: ignore[arg-type]
    assert all(sequence.ended is not None or sequence.cancelled for _, sequence in arrived)
    assert cluster.next_change is None


@given(st.lists(st.text("ab", max_size=12), min_size=1, max_size=60), st.integers(2, 6), st.integers(0, 4))
def test_loads_differ_by_no_more_than_affinity_allows(prompts: list[str], replicas: int, affinity: int) -> None:
    cluster = Cluster(replicas, Rates(10, 1, 1, 4), 1000, BLOCK, affinity)
    loads = [0] * replicas
    for prompt in prompts:
        sequence = Job(0, prompt, 5).sequence()
        cluster.submit(0, sequence)
        loads[sequence.replica] += 1
        assert max(loads) - min(loads) <= affinity + 1


def test_a_prompt_goes_to_the_gpu_that_served_its_beginning() -> None:
    cluster = Cluster(3, Rates(10, 1, 1, 4), 1000, BLOCK, affinity=1)
    replicas = []
    for now, prompt in enumerate(("aaaa", "bbbb", "aaaabbbb", "bbbba", "aaaabbbbaaaa")):
        sequence = Job(0, prompt, 50).sequence()
        cluster.submit(now, sequence)
        cluster.advance(now)
        replicas.append(sequence.replica)
    # The last one goes elsewhere: its place would be two ahead of the idle third GPU.
    assert replicas == [0, 1, 0, 1, 2]
