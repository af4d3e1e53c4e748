"""What Acme adds to Stackyard: a tracker, a validator and alerts."""
