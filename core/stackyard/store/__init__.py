"""Artifacts, formats, records, cache keys: one source of truth for every orchestrator."""
