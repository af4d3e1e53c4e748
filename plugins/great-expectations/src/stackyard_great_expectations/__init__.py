"""Great Expectations as validator of Stackyard."""
