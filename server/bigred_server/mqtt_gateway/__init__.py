"""The MQTT face of the server: it receives from boxes, and reports to everybody."""
