"""Values that are stored and passed on; pure, and imported by everything else."""
