"""Engines: what runs a model. Each owns its interpreter and is checked before it is believed."""
