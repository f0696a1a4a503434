"""The comparison of finished runs: `python -m tts.report DIR ...`.

`sources` finds run directories, `runs` and `rows` read them. `sets` puts together what has the same problems,
`repetitions` what differs in its seed alone, `labels` names it. `pools`, `exact`, `resampling` and `curves` estimate from
recorded candidates what fewer of them would have given, `estimates` does so for families of runs. `statistics`,
`budgets` and `comparison` compare runs over the same problems, `notes` says what to beware of in them. `terminal`, `table`
and `page` (with `figures` and `chunks`) show it.
"""
