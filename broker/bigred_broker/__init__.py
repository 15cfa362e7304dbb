"""Everything that passes between box and server: topics, messages, the link, Mosquitto."""
