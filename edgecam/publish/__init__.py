"""From records to MQTT: topics, messages, the outbox, the link, the worker; a broker for first tries."""
