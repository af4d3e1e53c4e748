"""KServe as model server of Stackyard."""
