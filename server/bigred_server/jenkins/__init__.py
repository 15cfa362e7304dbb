"""The Jenkins adapter: apps whose deployments are runs of a Jenkins job."""
