"""Whether a challenger may take a champion's place: conditions, metrics and their uncertainty."""
