"""Values that are stored and passed on; pure, and below everything else."""
