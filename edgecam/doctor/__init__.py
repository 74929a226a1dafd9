"""What users trip over, looked for one by one, and told with the remedy."""
