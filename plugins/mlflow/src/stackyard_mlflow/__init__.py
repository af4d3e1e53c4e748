"""MLflow as experiment tracker and model registry of Stackyard."""
