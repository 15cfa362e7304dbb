"""Everything between box and server: topics, messages, the MQTT link, Mosquitto."""
