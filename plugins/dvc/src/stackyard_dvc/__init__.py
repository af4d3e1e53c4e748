"""DVC as data versioner of Stackyard."""
