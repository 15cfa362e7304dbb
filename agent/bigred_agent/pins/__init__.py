"""GPIO pins for gpiozero over gpiod, the kernel's own interface: a pin factory, and its choice."""
