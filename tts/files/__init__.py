"""Files that a run writes: whole or not at all, and logs of records that are appended to and continued."""
