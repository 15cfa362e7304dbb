"""The Tomcat adapter: reads and changes one node of an app."""
