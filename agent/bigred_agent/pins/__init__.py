"""A gpiozero pin factory over gpiod, the kernel's own interface, and when it is chosen."""
