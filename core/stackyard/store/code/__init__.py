"""Reads a project's source files to tell what code a step's result depends on.

index    the code part of a step's cache key; what the rest of the store uses
reach    the closure for one step; parts: what of it counts
resolve  names to units of other modules, found by modules; effects: what acts when imported
scan     source to a Summary, by walk, calls, names and scope
known    what is known of code outside the project
"""
