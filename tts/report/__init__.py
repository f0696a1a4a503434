"""The comparison of finished runs: `python -m tts.report DIR ...`.

`sources` finds run directories, `runs` and `rows` read them. `sets` groups runs with the same problems, `repetitions`
merges runs that differ only in their seed, `labels` names runs. `pools`, `exact`, `orderings` and `curves` estimate the
results of fewer candidates from recorded ones, `estimates` does so for families of runs. `statistics`, `budgets` and
`comparison` compare runs over the same problems, `notes` lists caveats. `terminal`, `table` and `page` (with `figures`
and `chunks`) show the results.
"""
