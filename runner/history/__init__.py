"""What runs leave behind, in the state directory of a project: a database of runs and their steps, and locks.

`state` finds and makes the directory, `database` opens the file, `runs` keeps one row per run with what it ran,
`journal` is the memo of a run's steps, `locks` says who is at it. Nothing here knows how a run works.
"""
