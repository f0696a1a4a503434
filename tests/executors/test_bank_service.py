"""A bank that workers on other machines read and write: the same samples, each generated once."""

from __future__ import annotations

import asyncio
import getpass
import pickle
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bank.writer import Writer, complete
from tts.bank import Bank, BankedEngine, BankError
from tts.bank.file_store import FileStore
from tts.bank.sample_store import Key
from tts.engines.generating import Request
from tts.executors.bank_service import BankService, Call, ServedStore

requests = st.builds(Request, st.sampled_from("pqr"), seeds=st.lists(st.integers(0, 5), min_size=1).map(tuple))


def bank_of(service: BankService, client: str, path: Path) -> Bank:
    """Returns a client's bank; all that it says goes through bytes."""

    async def send(where: str, calls: Sequence[Call[object]]) -> Sequence[object] | str:
        await asyncio.sleep(0)
        answer = await service.handle(client, where, pickle.loads(pickle.dumps(calls)))
        await asyncio.sleep(0)
        copy: Sequence[object] | str = pickle.loads(pickle.dumps(answer))
        return copy

    return Bank(path, ServedStore(path, send))


@given(st.lists(st.tuples(st.integers(0, 2), requests), min_size=1, max_size=10))
async def test_nothing_is_generated_twice_by_all_of_them(asked: list[tuple[int, Request]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        service, path = BankService(), Path(folder) / "bank.sqlite"
        writers = [Writer() for _ in range(3)]
        banks = [bank_of(service, str(client), path) for client in range(3)]
        engines = [BankedEngine(writer, bank) for writer, bank in zip(writers, banks, strict=True)]
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*(complete(engines[client], request) for client, request in asked))
        assert answers == [await complete(Writer(), request) for _, request in asked]
        generated = [each for writer in writers for each in writer.generated]
        assert len(generated) == len({(request.prompt, seed) for _, request in asked for seed in request.seeds})
        for bank in banks:
            await bank.flush()
        await service.close()
        # The file is an ordinary bank.
        alone, bank = Writer(), Bank(path)
        assert [await complete(BankedEngine(alone, bank), request) for _, request in asked] == answers
        assert not alone.generated
        bank.close()


async def test_what_a_lost_worker_had_claimed_is_generated_by_another(tmp_path: Path) -> None:
    service, path, request = BankService(), tmp_path / "bank.sqlite", Request("p", seeds=(1, 2))
    lost, other = bank_of(service, "lost", path), bank_of(service, "other", path)
    key = await lost.register("writer", {"model": "w"})
    assert await lost.claim(lost.place(key, request), request.seeds) == {1, 2}
    assert await other.claim(other.place(key, request), request.seeds) == set()
    await service.leave("lost")
    assert await other.claim(other.place(key, request), request.seeds) == {1, 2}
    # A message that was on its way claims nothing for ever.
    with pytest.raises(BankError, match="this worker counts as lost"):
        await lost.claim(lost.place(key, request), (3,))
    assert await other.claim(other.place(key, request), (3,)) == {3}
    await service.close()


@dataclass(frozen=True)
class Lost:
    """A call of a worker that is lost before the call ends, as it may be while a flush waits."""

    service: BankService
    call: Call[object]

    async def on(self, store: FileStore, held: set[Key]) -> object:
        answer = await self.call.on(store, held)
        await self.service.leave("lost")
        return answer


async def test_a_worker_that_is_lost_amid_its_message_claims_nothing_for_ever(tmp_path: Path) -> None:
    service, path, request = BankService(), tmp_path / "bank.sqlite", Request("p", seeds=(1, 2))

    async def send(where: str, calls: Sequence[Call[object]]) -> Sequence[object] | str:
        return await service.handle("lost", where, [Lost(service, calls[0]), *calls[1:]])

    lost, other = Bank(path, ServedStore(path, send)), bank_of(service, "other", path)
    place = other.place(await other.register("writer", {"model": "w"}), request)
    await asyncio.gather(lost.claim(place, (1,)), lost.claim(place, (2,)))
    assert await other.claim(place, request.seeds) == {1, 2}
    await service.close()


async def test_a_claim_that_nobody_waits_for_any_more_is_given_up(tmp_path: Path) -> None:
    service, path, request = BankService(), tmp_path / "bank.sqlite", Request("p", seeds=(1,))
    first, second = bank_of(service, "first", path), bank_of(service, "second", path)
    key = await first.register("writer", {"model": "w"})
    claiming = asyncio.create_task(first.claim(first.place(key, request), request.seeds))
    await asyncio.sleep(0)
    claiming.cancel()
    await asyncio.gather(claiming, return_exceptions=True)
    await first.flush()
    await first.flush()  # the first may have left before the claim was given up
    assert await second.claim(second.place(key, request), request.seeds) == {1}
    await service.close()


async def test_a_checkpoint_has_the_key_that_it_has_without_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the user has no name, as in a container."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4242")

    monkeypatch.setattr(getpass, "getuser", nameless)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "weights").write_bytes(b"1")
    service, path = BankService(), tmp_path / "bank.sqlite"
    key = await bank_of(service, "worker", path).register("m", {"model": tmp_path / "weights"})
    await service.close()
    alone = Bank(path)
    assert await alone.register("m", {"model": tmp_path / "weights"}) == key
    alone.close()


async def test_what_is_no_bank_is_told_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "bank.sqlite"
    path.write_text("no database" * 100)
    bank = bank_of(BankService(), "worker", path)
    with pytest.raises(BankError, match=r"it is not a bank; name another file in bank\.path"):
        await complete(BankedEngine(Writer(), bank), Request("p"))
