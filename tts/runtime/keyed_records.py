"""The records of an earlier run that are still valid, told by a key of what each depends on."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tts.core.errors import UserError
from tts.files.shapes import check_record


class KeyedRecords:
    """Tells which lines of an earlier run's `results.jsonl` a run can reuse.

    Those that ended with an error, or were cut short by a limit of the whole run, are recreated.

    Args:
        keys: The key of each item's record, by the item's id.
        fields: The fields that every record has.
        shape: The `TypedDict` of a record.
        differs: What can be different if the key is, for messages.
    """

    def __init__(self, keys: Mapping[str, str], fields: Collection[str], shape: type, differs: str) -> None:
        self._keys = keys
        self._fields = tuple(fields)
        self._shape, self._differs = shape, differs
        self._held: set[str] = set()

    @property
    def complete(self) -> bool:
        """Whether all items have a valid record."""
        return len(self._held) == len(self._keys)

    def key(self, item: str) -> str:
        """Returns the key of an item's record."""
        return self._keys[item]

    def known_by(self, place: str, row: object) -> str | None:
        """Returns the id of a record's item, None if the record must be recreated.

        Raises:
            RecordError: It is not a record of this command.
            UserError: The record is of another task or configuration.
        """
        elsewhere = "give this run its own folder (hydra.run.dir=...), or delete the file to start over"
        check_record(row, self._shape, self._fields)
        assert isinstance(row, dict)
        name = str(row["id"])
        if name not in self._keys:
            raise UserError(f"{place}: '{name}' is not in this task (other data, or a smaller task.limit); {elsewhere}")
        if row["key"] != self._keys[name]:
            raise UserError(f"{place}: '{name}' was {self._differs} or had another text; {elsewhere}")
        if row["error"] is not None or any(limit.startswith("run.") for limit in row["limits_hit"]):
            return None
        self._held.add(name)
        return name
