"""Voice: a bounded queue, engines that can be killed, and silence as the last resort."""
