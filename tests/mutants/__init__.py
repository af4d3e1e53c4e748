"""Deliberately broken components: each has to be caught by the test that is meant for it."""
