"""Apps whose deployments are runs of a Jenkins job."""
