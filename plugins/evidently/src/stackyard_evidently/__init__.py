"""Evidently as monitor of Stackyard."""
