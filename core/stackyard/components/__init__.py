"""The contracts of the eight kinds. Imports errors and pure data only."""
