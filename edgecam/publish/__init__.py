"""From records to MQTT: topics, messages, the outbox, the link, the worker's loop; a broker to try it with."""
