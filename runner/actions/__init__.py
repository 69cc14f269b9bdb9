"""Kinds of actions, one file each: schema, what the files say, and what a run does.

A kind's file holds `SUMMARY`, `SCHEMA` (of the value under the kind's key), `MODIFIERS` (which of
`runner.language.MODIFIERS` it takes), `bind(value, pointer, binder)`, which gives its frozen config, `describe(action,
view)`, which gives its part of a plan as JSON, and `async perform(action, performance)`, which does it.
"""
