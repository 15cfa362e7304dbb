"""The doctor: finds problems at a site that would lose requests, each with a fix."""
