"""BentoML as model server of Stackyard."""
