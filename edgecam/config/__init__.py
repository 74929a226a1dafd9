"""The configuration: its words (schema, source) and the door that loads it."""
