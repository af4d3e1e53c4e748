"""Feast as feature store of Stackyard."""
